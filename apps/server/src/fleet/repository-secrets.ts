// Secrets of a repository on their way in: each is sealed for its own row.
import { and, eq, sql } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import { remoteTypeOf } from '@restic-manager/contract/policy-rule'
import type { Db } from '../db/open.ts'
import { type Seal, sealWithin } from '../db/seal.ts'
import { credentials } from '../db/schema-credentials.ts'
import { placeOf } from './configuration.ts'

type Purpose = 'password' | 'everyday' | 'admin'
/** `url`: of the repository they are for. */
type Secrets = Partial<Record<'password' | 'credential' | 'adminCredential', string | undefined>> & {
  url: string
}

/** Seals what is given in the place of what was there; what is left out stays. Safe to call twice. */
export async function sealCredentials(tx: Db, seal: Seal, repositoryId: string, secrets: Secrets) {
  const { password, credential, adminCredential } = secrets
  const given = [
    ['password', password],
    ['everyday', credential],
    ['admin', adminCredential],
  ] as const
  for (const [purpose, secret] of given)
    if (secret !== undefined)
      await sealCredential(tx, seal, { repositoryId, purpose, url: secrets.url }, secret)
}

/** The seal binds the row, so a secret that replaces another is sealed for the row that is there. */
async function sealCredential(
  tx: Db,
  seal: Seal,
  { repositoryId, purpose, url }: { repositoryId: string; purpose: Purpose; url: string },
  secret: string,
) {
  const [before] = await tx
    .select({ id: credentials.id })
    .from(credentials)
    .where(and(eq(credentials.repositoryId, repositoryId), eq(credentials.purpose, purpose)))
  const id = before?.id ?? newId()
  const sealed = await sealWithin(tx, seal, secret, placeOf(id))
  const remoteType = purpose === 'password' ? null : (remoteTypeOf(url, secret) ?? null)
  await tx
    .insert(credentials)
    .values({ id, repositoryId, purpose, sealed, remoteType })
    .onConflictDoUpdate({ target: credentials.id, set: { sealed, remoteType, updatedAt: sql`now()` } })
}
