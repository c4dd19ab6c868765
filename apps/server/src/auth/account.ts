// One's own account: which ways in it has.
import { sql } from 'drizzle-orm'
import type { AccountView } from '@restic-manager/contract/operators'
import type { Db } from '../db/open.ts'
import { listPasskeys } from './passkeys.ts'

/** How an operator signs in. */
export async function readAccount(db: Db, operatorId: string): Promise<AccountView> {
  const [account] = await db.execute<{
    password: boolean
    provider: boolean
    codes: number | null
  }>(sql`select
    exists(select 1 from operator_accounts where operator_id = ${operatorId} and provider_id = 'credential') as password,
    exists(select 1 from operator_accounts where operator_id = ${operatorId} and provider_id <> 'credential') as provider,
    (select jsonb_array_length(backup_codes::jsonb) from operator_two_factors
      where operator_id = ${operatorId} and verified) as codes`)
  const passkeys = await listPasskeys(db, operatorId)
  return {
    hasPassword: account?.password === true,
    hasProvider: account?.provider === true,
    secondFactor: account?.codes == null ? null : { recoveryCodesLeft: account.codes },
    passkeys: passkeys.map(({ id, name, createdAt, lastUsedAt }) => ({ id, name, createdAt, lastUsedAt })),
  }
}
