// The secret behind session cookies and second factors: random, sealed in the database, so that a new sealing key only wraps it anew.
import { randomBytes } from 'node:crypto'
import { eq, sql } from 'drizzle-orm'
import type { Secret } from '@restic-manager/runtime/secret'
import type { Db } from '../db/open.ts'
import { settings } from '../db/schema-server.ts'
import { type Seal, sealWithin } from '../db/seal.ts'
import type { SealPlace } from '../db/sealed-columns.ts'

/** The row of `settings` that holds it. */
export const authSecretSetting = 'auth_secret'
/** Where it is sealed for. */
export const authSecretPlace: SealPlace = { table: 'settings', row: authSecretSetting, column: 'value' }

/** Makes the secret at the first start; servers that start together end up with one. */
export async function openAuthSecret(db: Db, seal: Seal): Promise<Secret> {
  await db.transaction(async tx => {
    const value = await sealWithin(tx, seal, randomBytes(32).toString('base64url'), authSecretPlace)
    await tx.insert(settings).values({ name: authSecretSetting, value }).onConflictDoNothing()
  })
  const [kept] = await db
    .select({ sealed: sql<string>`${settings.value} #>> '{}'` })
    .from(settings)
    .where(eq(settings.name, authSecretSetting))
  return seal.open(kept?.sealed ?? '', authSecretPlace)
}
