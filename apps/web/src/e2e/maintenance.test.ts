// Maintenance beside backups: who waits for whom, what a killed restic leaves, one that hangs, and what is too old to run.
import { startAgent } from '@restic-manager/agent/testing'
import { newId } from '@restic-manager/contract/ids'
import { timing as usualTiming } from '@restic-manager/contract/timing'
import { unlockStale } from '@restic-manager/server/testing'
import { is, until } from '@restic-manager/testkit/until'
import { execa } from 'execa'
import path from 'node:path'
import { expect, test } from 'vitest'
import { checkInvariants } from './invariants.ts'
import { openScene, type Scene } from './scene.ts'

/** Asks for a prune on the host that may. */
async function askForPrune({ server }: Scene, hostId: string, repositoryId: string): Promise<string> {
  const wish = { requestId: newId(), hostId, repositoryId, kind: 'prune' as const, spec: {} }
  return (await server.api.jobs.run.mutate(wish)).jobId
}

/** A repository that this host backs up into, and another host maintains. */
async function makeVault(scene: Scene, maintenanceHostId: string): Promise<string> {
  const { server, folder, hostId } = scene
  const wish = { name: 'vault', url: path.join(folder, 'vault'), hostIds: [hostId], maintenanceHostId }
  return (await server.api.repositories.create.mutate({ requestId: newId(), ...wish })).repositoryId
}

test('a backup and a prune of different hosts wait for each other, say for whom, and none fails (row 30)', async () => {
  const script = {
    runs: {
      backup: { steps: [{ wait: 'backup' }, { summary: {} }] },
      prune: { steps: [{ wait: 'prune' }] },
    },
  }
  await using scene = await openScene({ script })
  const { server, restic } = scene
  await using keeper = await startAgent(server, {
    ...{ process: true, restic: restic.path, name: 'keeper', timing: { backoffBase: 20, backoffCap: 200 } },
  })
  const repositoryId = await makeVault(scene, keeper.hostId)
  const waitsFor = async (jobId: string) => (await server.api.jobs.get.query({ jobId })).waitsFor?.jobId

  const first = await scene.run('backup', { repositoryId })
  await restic.reached('backup')
  await scene.reaches(first, 'running')
  const prune = await askForPrune(scene, keeper.hostId, repositoryId)
  const second = await scene.run('backup', { repositoryId })
  await until(() => waitsFor(prune), is(first))
  await until(() => waitsFor(second), is(prune))
  expect(restic.runs('prune')).toEqual([])

  restic.open('backup')
  await restic.reached('prune')
  await scene.reaches(prune, 'running')
  expect(await scene.statusOf(second)).toBe('queued')
  restic.open('prune')
  for (const jobId of [first, prune, second])
    expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded' })
  expect([restic.runs('backup').length, restic.runs('prune').length]).toEqual([2, 1])
})

test('a backup that meets a prune nobody here knows of waits for it and does not fail (row 30)', async () => {
  await using scene = await openScene({ script: { runs: { prune: { steps: [{ wait: 'prune' }] } } } })
  const { restic, folder } = scene
  const url = path.join(folder, 'repository')
  const stranger = execa(restic.path, ['-r', url, 'prune'], { env: { RESTIC_PASSWORD: 'x' }, reject: false })
  await restic.reached('prune')
  const jobId = await scene.run('backup')
  await until(() => restic.runs('backup').length === 1)
  expect(restic.runs('backup')[0]?.lock).toBeUndefined()
  restic.open('prune')
  await stranger
  expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded' })
})

test('a lock that a killed restic left lets backups through and stops a prune, until it is removed (row 29)', async () => {
  const script = {
    runs: { backup: [{ steps: [{ crash: 'SIGKILL' as const }] }, { steps: [{ summary: {} }] }] },
  }
  await using scene = await openScene({ script, agentTiming: { lockWait: 1_000, lockRetry: 200 } })
  const { server, hostId, restic } = scene
  const url = path.join(scene.folder, 'own')
  const { repositoryId } = await server.api.repositories.create.mutate({
    ...{ requestId: newId(), name: 'own', url, hostIds: [hostId] },
    ...{ maintenanceHostId: hostId, acceptsRisk: true },
  })
  // Not by an agent: that would look after its own lock.
  await execa(restic.path, ['-r', url, 'backup', '/srv'], { env: { RESTIC_PASSWORD: 'x' }, reject: false })
  const next = await scene.run('backup', { repositoryId })
  expect(await scene.ending(next)).toMatchObject({ status: 'succeeded' })
  const prune = await askForPrune(scene, hostId, repositoryId)
  expect(await scene.ending(prune)).toMatchObject({ status: 'failed', reason: 'locked' })
  const stateOf = async () => (await server.api.repositories.get.query({ repositoryId })).lockState
  await until(stateOf, is('locked'))

  const unlock = await scene.run('unlock', { repositoryId })
  expect(await scene.ending(unlock)).toMatchObject({ status: 'succeeded' })
  await until(stateOf, is('unlocked'))
  const { jobId } = await server.api.jobs.retry.mutate({ requestId: newId(), jobId: prune })
  expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded', retryOf: prune })
  expect(restic.ledger().filter(({ event }) => event === 'pruned')).toHaveLength(1)
})

test('a lock that nobody holds any more is removed by itself, and what it stopped is done after all (row 29)', async () => {
  const script = { runs: { backup: { steps: [{ crash: 'SIGKILL' as const }] } } }
  const timing = { staleLock: 1 }
  await using scene = await openScene({
    ...{ script, serverTiming: timing, agentTiming: { lockWait: 1_000, lockRetry: 200 } },
  })
  const { server, hostId, restic } = scene
  const url = path.join(scene.folder, 'own')
  const { repositoryId } = await server.api.repositories.create.mutate({
    ...{ requestId: newId(), name: 'own', url, hostIds: [hostId] },
    ...{ maintenanceHostId: hostId, acceptsRisk: true },
  })
  const schedule = {
    ...{
      name: 'tidy',
      kind: 'prune' as const,
      repositoryIds: [repositoryId],
      timeZone: 'UTC',
      enabled: true,
    },
    ...{ manual: true, catchUp: 'none' as const, overlap: 'skip' as const, jitterSeconds: 0 },
  }
  const { scheduleId } = await server.api.schedules.create.mutate({ requestId: newId(), hostId, schedule })
  await execa(restic.path, ['-r', url, 'backup', '/srv'], { env: { RESTIC_PASSWORD: 'x' }, reject: false })
  await server.api.schedules.runNow.mutate({ requestId: newId(), scheduleId })
  const jobs = async () => (await server.api.jobs.list.query({ hostId })).rows
  await until(async () => (await jobs()).find(({ kind }) => kind === 'prune')?.reason === 'locked')

  // The look that is taken every minute.
  await until(
    async () => (await unlockStale(server.db, { ...usualTiming, ...timing }), (await jobs()).length > 2),
  )
  await until(
    async () => (await jobs()).map(({ kind, status }) => `${kind} ${status}`),
    is(['prune succeeded', 'unlock succeeded', 'prune failed']),
  )
  expect(restic.ledger().filter(({ event }) => event === 'pruned')).toHaveLength(1)
})

test('a restic that hangs is shown as stalled, interrupted, then killed, and the next job runs (row 32)', async () => {
  const script = {
    runs: {
      backup: [{ steps: [{ wait: 'never' }], interrupted: 'ignored' as const }, { steps: [{ summary: {} }] }],
    },
  }
  const agentTiming = { stalledAfter: 400, hungAfter: 3_000, cancelGrace: 500 }
  await using scene = await openScene({ script, agentTiming })
  const { server, restic } = scene
  const jobId = await scene.run('backup')
  await restic.reached('never')
  await until(async () => (await server.api.jobs.get.query({ jobId })).progress?.phase === 'stalled')
  expect(await scene.ending(jobId)).toMatchObject({ status: 'failed', reason: 'stalled' })
  expect(restic.runs('backup')).toMatchObject([{ signals: ['SIGINT'] }])
  const next = await scene.run('backup')
  expect(await scene.ending(next)).toMatchObject({ status: 'succeeded' })
  await checkInvariants(scene)
})

test('a job nobody claimed while its host was away has expired, and does not run when it is back (row 36)', async () => {
  await using scene = await openScene({ serverTiming: { queuedLife: 500 } })
  const { agent, restic } = scene
  await agent.stop()
  await until(scene.isOnline, is(false))
  const jobId = await scene.run('backup')
  await scene.reaches(jobId, 'expired')
  await agent.restart()
  await until(scene.isOnline)
  await checkInvariants(scene)
  expect(await scene.statusOf(jobId)).toBe('expired')
  expect(restic.runs('backup')).toEqual([])
})
