// The secret behind sessions promises to be one for all servers, to be stored sealed, and to outlive the key it is sealed with.
import { randomBytes } from 'node:crypto'
import { eq } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { settings } from '../db/schema-server.ts'
import { makeSeal } from '../db/seal.ts'
import { testDatabase } from '../testing-database.ts'
import { authSecretPlace, authSecretSetting, openAuthSecret } from './auth-secret.ts'

test('servers that start together share one secret, and a dump of the database does not hold it', async () => {
  await using database = await testDatabase()
  const { db, seal } = database
  const open = async () => (await openAuthSecret(db, seal)).reveal()
  const [first, ...others] = await Promise.all([1, 2, 3].map(open))
  expect(first).toMatch(/^[A-Za-z0-9_-]{43}$/)
  expect(new Set([first, ...others, await open()]).size).toBe(1)
  expect(JSON.stringify(await db.select().from(settings))).not.toContain(first)
})

test('sealed again with another key it is still the same, so that nobody is signed out', async () => {
  await using database = await testDatabase()
  const { db, seal } = database
  const secret = await openAuthSecret(db, seal)
  const next = makeSeal(randomBytes(32))
  const value = next.seal(secret, authSecretPlace)
  await db.update(settings).set({ value }).where(eq(settings.name, authSecretSetting))
  expect((await openAuthSecret(db, next)).reveal()).toBe(secret.reveal())
  await expect(openAuthSecret(db, seal)).rejects.toThrow('another key')
})
