// Rotating the key with the admin commands promises that servers go on reading and writing all along.
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createLog } from '@restic-manager/runtime/log'
import { expect, test } from 'vitest'
import type { Command } from './admin-command.ts'
import { makeKeyCommand, rotateKeyCommand } from './admin-keys.ts'
import { readConfig } from './config.ts'
import { keysInUse } from './db/sealed-columns.ts'
import { enrolMachine, repositoryOf } from './testing-fleet.ts'
import { startServer, type TestServer } from './testing.ts'

const log = createLog({ level: 'silent' })

async function run(command: Command, texts: Record<string, string>, env: Record<string, string>) {
  const work = await command.prepare({ texts, flags: new Set() })
  return work({ config: readConfig(env), log, signal: new AbortController().signal })
}

test('two servers write and read while the key is rotated, and afterwards need only the new one', async () => {
  const folder = await mkdtemp('/tmp/rm-rotate-')
  const newKey = join(folder, 'new.key')
  await using owner = await startServer()
  const { hostId } = await enrolMachine(owner.db, 'web-1')
  const oldKey = owner.secretKeyFile
  const keys = { RM_SECRET_KEY_FILE: newKey, RM_OLD_SECRET_KEY_FILE: oldKey }
  const setting = { DATABASE_URL: owner.databaseUrl, RM_DATA_DIR: folder, ...keys }
  const write = (server: TestServer, password: string) =>
    server.api.repositories.create.mutate(repositoryOf({ hostIds: [hostId], password }))
  const before = await write(owner, 'of before')

  expect(await run(makeKeyCommand, { to: newKey }, {})).toMatch(
    /holds a new key \(fingerprint [0-9a-f]{16}\)/,
  )
  await expect(run(makeKeyCommand, { to: newKey }, {})).rejects.toThrow('is there already')
  await expect(run(rotateKeyCommand, {}, setting)).rejects.toThrow(
    'One running server does not know the new key',
  )

  // One after the other, as an operator restarts them.
  const beside = { ...owner, secretKeyFile: oldKey }
  await using one = await startServer({ beside, env: keys })
  await owner.stop()
  await using two = await startServer({ beside, env: keys })
  let stop = false
  let written = 0
  const writing = [one, two].map(async server => {
    while (!stop) {
      await write(server, `meanwhile ${(written += 1)}`)
    }
  })
  expect(await run(rotateKeyCommand, {}, setting)).toMatch(
    /^\d+ stored secrets were wrapped anew; .* The key [0-9a-f]{16} opens nothing in this database any more/,
  )
  const during = written
  stop = true
  await Promise.all(writing)
  expect(during).toBeGreaterThan(0)
  expect(await keysInUse(owner.db)).toHaveLength(1)
  expect(await run(rotateKeyCommand, {}, setting)).toMatch(/^Everything was sealed with the key/)
  await one.stop()
  await two.stop()

  await using last = await startServer({ beside: { ...owner, secretKeyFile: newKey } })
  await write(last, 'of afterwards')
  expect((await last.api.repositories.list.query()).map(({ id }) => id)).toContain(before.repositoryId)
  await expect(startServer({ beside: { ...owner, secretKeyFile: oldKey } })).rejects.toThrow(
    /is not the one this database was sealed with/,
  )
  await rm(folder, { recursive: true })
})
