// A real agent of a real server gets another key, is released from quarantine, and tells what happened meanwhile.
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startServer } from '@restic-manager/server/testing'
import { is, until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { makeNextKey, openKeys, publicKeyOf, settleKey } from './identity.ts'
import { startAgent } from './testing.ts'

const quick = { backoffBase: 50, backoffCap: 500, keyWatch: 100 }

test('an operator, and then its owner, give a host another key; it stays online and enrols nothing anew', async () => {
  await using server = await startServer()
  await using agent = await startAgent(server, { timing: quick })
  const { hostId } = agent
  const hostOf = () => server.api.hosts.get.query({ hostId })
  await until(async () => (await hostOf()).state, is('online'))
  const first = (await hostOf()).fingerprint

  await server.api.hosts.rotateKey.mutate({ hostId })
  await until(async () => (await hostOf()).fingerprint !== first)
  const second = await hostOf()
  expect(second).toMatchObject({ keyChangedAt: expect.any(Date), keyChangeWantedAt: null })
  await until(() => agent.status().fingerprint, is(second.fingerprint))

  makeNextKey(agent.stateDir)
  await until(async () => (await hostOf()).fingerprint !== second.fingerprint)
  await until(() => agent.status().link?.state, is('connected'))
  await until(async () => (await hostOf()).state, is('online'))
  expect((await server.api.alerts.list.query({ hostId })).rows).toEqual([])
})

test('keys on disk: the one to come first, then the present one, then the one before; settling twice changes nothing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rm-keys-'))
  try {
    const names = () => openKeys(folder).map(publicKeyOf)
    const [old = ''] = names()
    const key = makeNextKey(folder)
    const fresh = publicKeyOf(key)
    expect(publicKeyOf(makeNextKey(folder))).toBe(fresh)
    expect(names()).toEqual([fresh, old])
    settleKey(folder, openKeys(folder)[1] as never)
    expect(names()).toEqual([fresh, old])
    settleKey(folder, key)
    settleKey(folder, key)
    expect(names()).toEqual([fresh, old])
    expect(readFileSync(join(folder, 'key.pem'), 'utf8')).not.toBe(
      readFileSync(join(folder, 'key-before.pem'), 'utf8'),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a host that was copied is released: it begins a new spool and is online, and the copy stays out', async () => {
  await using server = await startServer()
  await using agent = await startAgent(server, { timing: quick })
  const { hostId } = agent
  const stateOf = async () => (await server.api.hosts.get.query({ hostId })).state
  await until(stateOf, is('online'))
  await agent.stop()
  const copied = mkdtempSync(join(tmpdir(), 'rm-copy-'))
  cpSync(agent.stateDir, copied, { recursive: true })
  try {
    await agent.restart()
    await until(stateOf, is('online'))
    await using copy = await startAgent(server, { stateDir: copied, timing: quick })
    await until(stateOf, is('quarantined'))
    await until(() => copy.status().link?.state, is('refused'))
    await copy.stop()
    const epoch = agent.status().spool?.epoch

    const { name } = await server.api.hosts.get.query({ hostId })
    await server.api.hosts.release.mutate({ hostId, confirmName: name })
    await until(stateOf, is('online'))
    await until(() => agent.status().link?.state, is('connected'))
    expect(agent.status().spool?.epoch).not.toBe(epoch)
    await copy.restart()
    await until(
      async () => (await server.api.alerts.list.query({ hostId })).rows[0]?.kind,
      is('copy_turned_away'),
    )
    expect(await stateOf()).toBe('online')
    expect(copy.status().link?.state).toBe('refused')
  } finally {
    rmSync(copied, { recursive: true, force: true })
  }
})
