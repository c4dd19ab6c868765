// A new sealing key takes the place of the old one, in small steps, while servers read and write.
import { sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { serversWithout } from '../db/open-seal.ts'
import { fingerprintSetting, type Seal } from '../db/seal.ts'
import {
  isSealed,
  keysInUse,
  type SealedColumn,
  type SealPlace,
  sealedColumns,
  sealedText,
} from '../db/sealed-columns.ts'
import { adminCommand, writeAudit } from './audit.ts'

/** Secrets that are wrapped anew in one transaction. */
const stepSize = 100

export type Rotation = { from: string | undefined; to: string; secrets: number }

/**
 * Has everything sealed with the own key of `seal`. Each secret opens at every moment; after a break, call it again. Throws a
 * sentence, and has changed nothing, when a running server does not know the key, or when the old one is not at hand.
 */
export async function rotateSealingKey(
  db: Db,
  seal: Seal,
  {
    signal,
    step = stepSize,
    onStep = async () => {},
  }: { signal?: AbortSignal; step?: number; onStep?: () => Promise<void> } = {},
): Promise<Rotation> {
  const from = await askForKey(db, seal)
  let secrets = 0
  for (const of of sealedColumns)
    for (;;) {
      signal?.throwIfAborted()
      const wrapped = await rewrapSome(db, seal, of, step)
      if (wrapped === 0) break
      secrets += wrapped
      await onStep()
    }
  const left = (await keysInUse(db)).filter(({ fingerprint }) => fingerprint !== seal.fingerprint)
  if (left.length > 0)
    throw new Error('Meanwhile another key was asked for, by a rotation to that one. Let one of the two end.')
  return { from, to: seal.fingerprint, secrets }
}

/**
 * From here on servers seal with the own key of `seal`. Whoever has sealed with the old one and not committed yet is waited for.
 * Answers which key was asked for before; undefined when it was this one already.
 */
async function askForKey(db: Db, seal: Seal): Promise<string | undefined> {
  return db.transaction(async tx => {
    const [kept] = await tx.execute<{ fingerprint: string }>(
      sql`select value #>> '{}' as fingerprint from settings where name = ${fingerprintSetting} for update`,
    )
    const before = kept?.fingerprint
    if (before === undefined)
      throw new Error('No server has used this database yet: there is nothing to rotate.')
    for (const { fingerprint } of await keysInUse(tx))
      if (!seal.knows(fingerprint))
        throw new Error(
          `Secrets are sealed with the key ${fingerprint}, which is not at hand. Set RM_OLD_SECRET_KEY_FILE to it.`,
        )
    if (before === seal.fingerprint) return undefined
    const without = await serversWithout(tx, seal.fingerprint)
    if (without > 0)
      throw new Error(
        `${without === 1 ? 'One running server does' : `${without} running servers do`} not know the new key (${seal.fingerprint}) yet. Start every server with both keys first.`,
      )
    await tx.execute(
      sql`update settings set value = to_jsonb(${seal.fingerprint}::text) where name = ${fingerprintSetting}`,
    )
    await writeAudit(tx, {
      actor: adminCommand,
      action: 'admin rotate-key',
      before: { fingerprint: before },
      after: { fingerprint: seal.fingerprint },
    })
    return before
  })
}

/** A row that is written meanwhile is waited for, and is then sealed with the new key already. */
async function rewrapSome(db: Db, seal: Seal, of: SealedColumn, most: number): Promise<number> {
  const [table, key, column] = [of.table, of.key, of.column].map(name => sql.identifier(name))
  return db.transaction(async tx => {
    const rows = await tx.execute<{ row: string; sealed: string }>(sql`
      select ${key}::text as row, ${sealedText(of)} as sealed from ${table}
      where ${isSealed(of)} and split_part(${sealedText(of)}, '.', 2) <> ${seal.fingerprint}
      order by ${key} limit ${most} for no key update`)
    for (const { row, sealed } of rows) {
      const place: SealPlace = { table: of.table, row, column: of.column }
      const wrapped = seal.rewrap(sealed, place)
      await tx.execute(sql`
        update ${table} set ${column} = ${'json' in of ? sql`to_jsonb(${wrapped}::text)` : wrapped}
        where ${key}::text = ${row}`)
    }
    return rows.length
  })
}
