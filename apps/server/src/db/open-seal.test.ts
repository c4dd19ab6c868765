// What a server promises about its keys before it starts: the right one, or a sentence.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../testing-database.ts'
import { makeHost } from '../testing-fleet.ts'
import type { Db } from './open.ts'
import { openSeal } from './open-seal.ts'
import { makeSeal } from './seal.ts'
import type { SealPlace } from './sealed-columns.ts'

const place: SealPlace = { table: 'credentials', row: '0199', column: 'sealed' }
let folder: string
beforeAll(async () => {
  folder = await mkdtemp('/tmp/rm-seal-')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const open = async (db: Db, file: string, old?: string) =>
  (await openSeal(db, { key: { file }, old: old === undefined ? undefined : { file: old } })).seal

async function keyFile(name: string, key = randomBytes(32)) {
  const file = join(folder, name)
  await writeFile(file, key, { mode: 0o600 })
  return file
}

test('a key whose fingerprint looks like a number is known again', async () => {
  await using database = await testDatabase()
  const key = Buffer.alloc(32)
  for (let n = 0; !/^\d+e\d+$/.test(makeSeal(key).fingerprint); n += 1) key.writeUInt32BE(n)
  const file = await keyFile('number.key', key)
  await open(database.db, file)
  await expect(open(database.db, file)).resolves.toMatchObject({ fingerprint: makeSeal(key).fingerprint })
})

test('a start with another key, or without the key, stops with a sentence and makes no new one (row 43)', async () => {
  await using database = await testDatabase()
  const file = join(folder, 'first.key')
  const sealed = (await open(database.db, file)).seal('geheim', place)
  expect((await open(database.db, file)).open(sealed, place).reveal()).toBe('geheim')

  const other = await keyFile('other.key')
  await expect(open(database.db, other)).rejects.toThrow(/is not the one this database was sealed with/)

  const missing = join(folder, 'missing.key')
  await expect(open(database.db, missing)).rejects.toThrow(/is missing/)
  await expect(open(database.db, missing, file)).rejects.toThrow(/is missing/)
  await expect(open(database.db, other, missing)).rejects.toThrow(/missing.key is missing/)
  await expect(stat(missing)).rejects.toThrow('ENOENT')
})

test('a start with a new key beside the old one is none with another key', async () => {
  await using database = await testDatabase()
  const [old, next] = [join(folder, 'old.key'), await keyFile('next.key')]
  const before = await open(database.db, old)
  const both = await open(database.db, next, old)
  expect(both.fingerprints).toEqual([both.fingerprint, before.fingerprint])
})

test('a start without the key that some secrets are still sealed with stops with a sentence', async () => {
  await using database = await testDatabase()
  const file = await keyFile('later.key')
  const { repositoryId } = await makeHost(database.db, await open(database.db, file))
  const stray = makeSeal(randomBytes(32))
  await database.sql`update credentials set sealed = ${stray.seal('geheim', place)} where repository_id = ${repositoryId}`
  await expect(open(database.db, file)).rejects.toThrow(
    `1 stored secrets are still sealed with an older key (fingerprint ${stray.fingerprint}), which is not at hand. Set RM_OLD_SECRET_KEY_FILE to it`,
  )
})
