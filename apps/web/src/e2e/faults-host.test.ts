// Hosts on a bad day: restic is killed, a machine is copied, a clock is wrong, records are refused or lost.
import { createTestClock, startAgent } from '@restic-manager/agent/testing'
import { newId } from '@restic-manager/contract/ids'
import { is, until } from '@restic-manager/testkit/until'
import { cpSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { checkInvariants } from './invariants.ts'
import { openScene } from './scene.ts'

test('a restic that is killed is recorded as such, and tried again once as its schedule says (row 21)', async () => {
  const backup = [{ steps: [{ crash: 'SIGKILL' as const }] }, { steps: [{ summary: {} }] }]
  await using scene = await openScene({ script: { runs: { backup } } })
  const { server, hostId, repositoryId, restic } = scene
  const schedule = {
    ...{ name: 'Nightly', kind: 'backup' as const, repositoryIds: [repositoryId], paths: ['/etc/hostname'] },
    ...{ cron: '0 3 1 1 *', timeZone: 'UTC', enabled: true, manual: false, catchUp: 'none' as const },
    ...{ overlap: 'skip' as const, jitterSeconds: 0, retry: { count: 1, delaySeconds: 1 } },
  }
  const { scheduleId } = await server.api.schedules.create.mutate({ requestId: newId(), hostId, schedule })
  const { jobIds } = await server.api.schedules.runNow.mutate({ scheduleId, requestId: newId() })
  const [jobId = ''] = jobIds
  expect(await scene.ending(jobId)).toMatchObject({ status: 'failed', reason: 'killed' })
  const retryOf = async () => {
    const [row] = await server.db.execute<{ id: string }>(`select id from jobs where retry_of = '${jobId}'`)
    return row?.id
  }
  const retry = await until(retryOf)
  expect(await scene.ending(retry ?? '')).toMatchObject({ status: 'succeeded', attempt: 1 })
  expect(restic.runs('backup')).toMatchObject([{ killedBy: 'SIGKILL' }, { exitCode: 0 }])
  await checkInvariants(scene)
})

test('a machine that was copied is found out: both are shut out and told why, and neither runs an order (row 25)', async () => {
  await using scene = await openScene()
  const { server, agent, hostId, link, restic } = scene
  await agent.stop()
  const copy = path.join(scene.folder, 'copied-state')
  cpSync(agent.stateDir, copy, { recursive: true })
  await agent.restart()
  await until(scene.isOnline)
  await using twin = await startAgent(server, {
    ...{ process: true, stateDir: copy, url: `http://127.0.0.1:${link.port}`, restic: restic.path },
    timing: { backoffBase: 20, backoffCap: 200 },
  })
  for (const each of [agent, twin]) {
    // The one that came second may first hear that its challenge went with the proof of the other.
    const why = 'Two machines use the identity of this host'
    await until(
      () => each.status().link,
      status => status?.state === 'refused' && status.why?.includes(why) === true,
      { what: 'an agent to be shut out and told why', timeoutMs: 60_000 },
    )
  }
  expect(await server.api.hosts.get.query({ hostId })).toMatchObject({
    state: 'quarantined',
    quarantineReason: expect.stringContaining('Two machines use the identity'),
  })
  await expect(
    server.api.jobs.run.mutate({
      ...{ requestId: newId(), hostId, repositoryId: scene.repositoryId },
      ...{ kind: 'backup', spec: { paths: ['/etc/hostname'] } },
    }),
  ).rejects.toThrow()
  expect(restic.runs('backup')).toEqual([])
})

test('the page of a host says that its clock is far off, and that its records were lost (row 27)', async () => {
  const clock = createTestClock(Date.now() - 3_600_000)
  await using scene = await openScene({ clock })
  const { server, agent, hostId } = scene
  const view = () => server.api.hosts.get.query({ hostId })
  await until(async () => (await view()).clockSkewMs < -3_500_000)
  expect((await view()).spool).toMatchObject({ full: false, resetAt: null, setAside: null })
  await agent.stop()
  writeFileSync(path.join(agent.stateDir, 'state.db'), 'this was a database once')
  await agent.restart()
  await until(
    async () => (await view()).spool.resetAt,
    at => at instanceof Date,
  )
  await until(scene.isOnline, is(true))
})
