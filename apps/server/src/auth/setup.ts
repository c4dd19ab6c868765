// First-run set-up: whoever can read the server's console may make the first admin, once.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { eq, sql } from 'drizzle-orm'
import { Refusal } from '@restic-manager/contract/refusal'
import type { Db } from '../db/open.ts'
import { settings } from '../db/schema-server.ts'
import { nobodyAt, writeAudit } from '../fleet/audit.ts'
import { createOperator, hashOf, hasOperator, type NewOperator } from './operators.ts'

const setting = 'setup_secret_hash'
/** Any fixed number: two browsers that set up at once take turns on it. */
const setupLock = 7_264_518_042

const digest = (secret: string) => createHash('sha256').update(secret).digest()

/** A fresh secret for the link that is printed at the start; undefined once an operator exists. The last one printed counts. */
export async function mintSetupSecret(db: Db): Promise<string | undefined> {
  if (await hasOperator(db)) {
    await db.delete(settings).where(eq(settings.name, setting))
    return undefined
  }
  const secret = randomBytes(24).toString('base64url')
  const value = digest(secret).toString('hex')
  await db
    .insert(settings)
    .values({ name: setting, value })
    .onConflictDoUpdate({ target: settings.name, set: { value } })
  return secret
}

/** Makes the first admin and answers their id. Refused once any operator exists, and without the secret of the printed link. */
export async function completeSetup(
  db: Db,
  { secret, address, ...operator }: NewOperator & { secret: string; address: string },
): Promise<string> {
  await checkSecret(db, secret)
  const passwordHash = await hashOf(operator.password)
  return db.transaction(async tx => {
    await tx.execute(sql`select pg_advisory_xact_lock(${setupLock})`)
    await checkSecret(tx, secret)
    const { email, name } = operator
    const operatorId = await createOperator(tx, { email, name, passwordHash, role: 'admin' })
    await tx.delete(settings).where(eq(settings.name, setting))
    const target = { kind: 'operator', id: operatorId, name: email }
    await writeAudit(tx, {
      ...{ actor: nobodyAt(address), action: 'set-up completed', target },
      after: { name, email, role: 'admin' },
    })
    return operatorId
  })
}

async function checkSecret(db: Db, secret: string) {
  if (await hasOperator(db))
    throw new Refusal('setup_done', 'The first admin exists already. Sign in instead.')
  const [kept] = await db.select().from(settings).where(eq(settings.name, setting))
  const wanted = Buffer.from(typeof kept?.value === 'string' ? kept.value : '', 'hex')
  const given = digest(secret)
  if (wanted.length !== given.length || !timingSafeEqual(wanted, given))
    throw new Refusal('not_allowed', 'The set-up link is not the one the server printed last. Open that one.')
}
