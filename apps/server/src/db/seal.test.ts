// What the seal promises: without the key, or in another place, a sealed text is nothing.
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../testing-database.ts'
import { loadSealingKey, makeSeal, openSeal } from './seal.ts'

const place = { table: 'credentials', row: '0199', column: 'sealed' }
let folder: string

beforeAll(async () => {
  folder = await mkdtemp('/tmp/rm-seal-')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('a sealed text', () => {
  const seal = makeSeal(randomBytes(32))

  test('opens to what it was, in any language and of any length', () => {
    for (const plain of ['', 'geheim', 'пароль 🔑', 'x'.repeat(100_000)])
      expect(seal.open(seal.seal(plain, place), place)).toBe(plain)
  })

  test('looks different each time and holds nothing of the secret', () => {
    const [one, two] = [seal.seal('canary-4711', place), seal.seal('canary-4711', place)]
    expect(one).not.toBe(two)
    expect(one).toMatch(/^rm1\./)
    expect(Buffer.from(one, 'base64').includes('canary')).toBe(false)
  })

  test.each([
    { ...place, table: 'settings' },
    { ...place, row: '0200' },
    { ...place, column: 'url' },
  ])('does not open as %o', elsewhere => {
    expect(() => seal.open(seal.seal('geheim', place), elsewhere)).toThrow('moved from another place')
  })

  test('does not open when any of its characters was changed', () => {
    const sealed = seal.seal('geheim', place)
    const parts = (text: string) =>
      text.split('.').map(part => Buffer.from(part, 'base64url').toString('hex'))
    const changed = Array.from(
      sealed,
      (char, at) => sealed.slice(0, at) + (char === 'A' ? 'B' : 'A') + sealed.slice(at + 1),
    )
      // The last character of base64url may hold bits that mean nothing.
      .filter(text => parts(text).join('.') !== parts(sealed).join('.'))
    const opens = changed.filter(text => {
      try {
        return seal.open(text, place) !== undefined
      } catch {
        return false
      }
    })
    expect(changed.length).toBeGreaterThan(sealed.length - 4)
    expect(opens).toEqual([])
  })

  test('does not open with another key, and says that it is the key', () => {
    expect(() => makeSeal(randomBytes(32)).open(seal.seal('geheim', place), place)).toThrow('another key')
  })
})

test('the first start makes 32 random bytes that only the owner may read', async () => {
  const file = join(folder, 'made', 'secret.key')
  const key = await loadSealingKey(file, { make: true })
  expect(key).toHaveLength(32)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readFile(file)).toEqual(key)
  expect(await loadSealingKey(file, { make: true })).toEqual(key)
})

test('servers that make the key at the same moment end up with the same one', async () => {
  const file = join(folder, 'race.key')
  const keys = await Promise.all(Array.from({ length: 8 }, () => loadSealingKey(file, { make: true })))
  expect(new Set(keys.map(key => key.toString('hex'))).size).toBe(1)
})

test('a key may be written as hex or base64, and nothing else is taken for one', async () => {
  const key = randomBytes(32)
  const file = join(folder, 'text.key')
  for (const text of [key.toString('hex'), key.toString('base64'), `${key.toString('base64url')}\n`]) {
    await writeFile(file, text)
    expect(await loadSealingKey(file, { make: false })).toEqual(key)
  }
  await writeFile(file, 'password')
  await expect(loadSealingKey(file, { make: false })).rejects.toThrow('32 bytes')
})

test('a key whose fingerprint looks like a number is known again', async () => {
  await using database = await testDatabase()
  const file = join(folder, 'number.key')
  const key = Buffer.alloc(32)
  for (let n = 0; !/^\d+e\d+$/.test(makeSeal(key).fingerprint); n += 1) key.writeUInt32BE(n)
  await writeFile(file, key)
  await openSeal(database.db, file)
  await expect(openSeal(database.db, file)).resolves.toMatchObject({ fingerprint: makeSeal(key).fingerprint })
})

test('a start with another key, or without the key, stops with a sentence and makes no new one', async () => {
  await using database = await testDatabase()
  const file = join(folder, 'first.key')
  const sealed = (await openSeal(database.db, file)).seal('geheim', place)
  expect((await openSeal(database.db, file)).open(sealed, place)).toBe('geheim')

  const other = join(folder, 'other.key')
  await writeFile(other, randomBytes(32))
  await expect(openSeal(database.db, other)).rejects.toThrow(/is not the one this database was sealed with/)

  const missing = join(folder, 'missing.key')
  await expect(openSeal(database.db, missing)).rejects.toThrow(/is missing/)
  await expect(stat(missing)).rejects.toThrow('ENOENT')
})
