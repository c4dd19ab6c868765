// Rotation of the sealing key promises: every secret opens at every moment, and in the end the old key opens nothing.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openAuthSecret } from '../auth/auth-secret.ts'
import { beginSecondFactor } from '../auth/second-factors.ts'
import { openSeal } from '../db/open-seal.ts'
import { auditEvents } from '../db/schema-operators.ts'
import { type Seal, sealWithin } from '../db/seal.ts'
import { keysInUse, sealedColumns, sealedText, isSealed, type SealPlace } from '../db/sealed-columns.ts'
import { testDatabase, untilOneWaits } from '../testing-database.ts'
import { makeVault } from '../testing-maintenance.ts'
import { signedIn } from '../testing-routers.ts'
import { configurationOf } from './configuration.ts'
import { rotateSealingKey } from './key-rotation.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp('/tmp/rm-rotate-')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

let made = 0
async function keyFile() {
  const file = join(folder, `${(made += 1)}.key`)
  await writeFile(file, randomBytes(32), { mode: 0o600 })
  return { file }
}

/** A database with something sealed in every place, and the keys of a rotation in it. */
async function scene() {
  const database = await testDatabase()
  const { db } = database
  const [oldKey, newKey] = [await keyFile(), await keyFile()]
  const old = await openSeal(db, { key: oldKey })
  await openAuthSecret(db, old.seal)
  const vault = await makeVault(db, old.seal)
  await beginSecondFactor(db, old.seal, await signedIn(db, 'admin'))
  /** All that is sealed, opened: with which key, and to what. */
  const openAll = async (seal: Seal) => {
    const opened: string[] = []
    for (const of of sealedColumns)
      for (const { row, sealed } of await db.execute<{ row: string; sealed: string }>(
        sql`select ${sql.identifier(of.key)}::text as row, ${sealedText(of)} as sealed from ${sql.identifier(of.table)} where ${isSealed(of)}`,
      ))
        opened.push(seal.open(sealed, { table: of.table, row, column: of.column }).reveal())
    return opened.toSorted()
  }
  const bothKnown = () => openSeal(db, { key: newKey, old: oldKey })
  return { database, db, old, newKey, bothKnown, vault, openAll, [Symbol.asyncDispose]: database.close }
}

test('everything that is sealed in a database stands in a column of the list, and none of the list is empty here', async () => {
  await using at = await scene()
  const tables = await at.db.execute<{ name: string }>(
    sql`select tablename as name from pg_tables where schemaname = 'public'`,
  )
  const found = new Set<string>()
  for (const { name } of tables)
    for (const { column } of await at.db.execute<{ column: string }>(sql`
      select distinct field.key as column from ${sql.identifier(name)} as entry, jsonb_each_text(to_jsonb(entry)) as field
      where field.value ~ 'rm1[.][0-9a-f]{16}[.]'`))
      found.add(`${name}.${column}`)
  expect([...found].toSorted()).toEqual(
    sealedColumns.map(({ table, column }) => `${table}.${column}`).toSorted(),
  )
})

test('in the end the new key opens everything, the old one nothing, and it is written down (row 43)', async () => {
  await using at = await scene()
  const secrets = await at.openAll(at.old.seal)
  expect(secrets.length).toBeGreaterThan(4)
  const both = await at.bothKnown()
  await at.old.forgetKeys()

  const rotation = await rotateSealingKey(at.db, both.seal, { step: 2 })
  expect(rotation).toEqual({
    from: at.old.seal.fingerprint,
    to: both.seal.fingerprint,
    secrets: secrets.length,
  })

  const { seal } = await openSeal(at.db, { key: at.newKey })
  expect(await at.openAll(seal)).toEqual(secrets)
  expect(await keysInUse(at.db)).toEqual([{ fingerprint: seal.fingerprint, secrets: secrets.length }])
  await expect(at.openAll(at.old.seal)).rejects.toThrow('another key')
  const told = () => at.db.select().from(auditEvents).where(eq(auditEvents.action, 'admin rotate-key'))
  expect(await told()).toMatchObject([
    { action: 'admin rotate-key', after: { fingerprint: seal.fingerprint } },
  ])

  expect(await rotateSealingKey(at.db, seal)).toEqual({ from: undefined, to: seal.fingerprint, secrets: 0 })
  expect(await told()).toHaveLength(1)
})

test('broken off after any of its steps everything opens with both keys, and the next call ends it', async () => {
  await using at = await scene()
  const secrets = await at.openAll(at.old.seal)
  const both = await at.bothKnown()
  await at.old.forgetKeys()
  const breakOff = async () => {
    throw new Error('killed')
  }
  let calls = 0
  for (;;) {
    const done = await rotateSealingKey(at.db, both.seal, { step: 1, onStep: breakOff }).catch(
      () => undefined,
    )
    expect(await at.openAll(both.seal)).toEqual(secrets)
    if (done !== undefined) break
    calls += 1
    if (calls < secrets.length)
      await expect(openSeal(at.db, { key: at.newKey })).rejects.toThrow(
        /still sealed with an older key .* RM_OLD_SECRET_KEY_FILE .* rotate-key/,
      )
  }
  expect(calls).toBe(secrets.length)
  expect(await keysInUse(at.db)).toHaveLength(1)
})

test('a running server that does not know the new key stops a rotation before it begins', async () => {
  await using at = await scene()
  const both = await at.bothKnown()
  await expect(rotateSealingKey(at.db, both.seal)).rejects.toThrow(
    `One running server does not know the new key (${both.seal.fingerprint}) yet. Start every server with both keys first.`,
  )
  expect(await keysInUse(at.db)).toMatchObject([{ fingerprint: at.old.seal.fingerprint }])
  await at.old.forgetKeys()
  await rotateSealingKey(at.db, both.seal)
})

test('a server that died without a word holds up a rotation for two minutes only', async () => {
  await using at = await scene()
  const both = await at.bothKnown()
  await at.db
    .execute(sql`update settings set value = jsonb_set(value, '{at}', to_jsonb(now() - interval '121 seconds'))
    where name like 'sealing_keys_of:%' and not value -> 'keys' ? ${both.seal.fingerprint}`)
  await rotateSealingKey(at.db, both.seal)
})

test('while it is prepared servers seal with the old key, so that those without the new one can go on', async () => {
  await using at = await scene()
  const both = await at.bothKnown()
  const place: SealPlace = { table: 'credentials', row: '0199', column: 'sealed' }
  const sealed = await at.db.transaction(tx => sealWithin(tx, both.seal, 'geheim', place))
  expect(at.old.seal.open(sealed, place).reveal()).toBe('geheim')
})

test('a secret that was sealed before and committed after the change of keys is wrapped anew too', async () => {
  await using at = await scene()
  const both = await at.bothKnown()
  await at.old.forgetKeys()
  const [row] = await at.db.execute<{ id: string }>(sql`select id from credentials limit 1`)
  const place: SealPlace = { table: 'credentials', row: row?.id ?? '', column: 'sealed' }
  let rotation: Promise<unknown> | undefined
  await at.db.transaction(async tx => {
    const sealed = await sealWithin(tx, at.old.seal, 'written meanwhile', place)
    rotation = rotateSealingKey(at.db, both.seal)
    await untilOneWaits(at.db)
    await tx.execute(sql`update credentials set sealed = ${sealed} where id = ${place.row}`)
  })
  await rotation
  const { seal } = await openSeal(at.db, { key: at.newKey })
  expect(await at.openAll(seal)).toContain('written meanwhile')
})

test('a server that slept through the rotation neither opens nor seals, and says that another one should be asked', async () => {
  await using at = await scene()
  const both = await at.bothKnown()
  await at.old.forgetKeys()
  await rotateSealingKey(at.db, both.seal)
  const { hostId } = at.vault.one
  const read = (seal: Seal) => configurationOf(at.db, seal, { hostId, version: 1, maxConcurrentRuns: 1 })
  await expect(read(at.old.seal)).rejects.toMatchObject({ code: 'unavailable' })
  const place: SealPlace = { table: 'credentials', row: '0199', column: 'sealed' }
  const write = at.db.transaction(tx => sealWithin(tx, at.old.seal, 'geheim', place))
  await expect(write).rejects.toMatchObject({ code: 'unavailable' })
  expect((await read(both.seal)).repositories).toHaveLength(1)
})
