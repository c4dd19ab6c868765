// A real agent of a real server, with real restic: what a person would see.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { slotJobId } from '@restic-manager/contract/slots'
import { startServer, type TestServer } from '@restic-manager/server/testing'
import { lightenRepository } from '@restic-manager/testkit/light-repository'
import { currentRestic } from '@restic-manager/testkit/restic'
import { is, until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { createTestClock } from './testing-clock.ts'
import { hourlyBackup } from './testing-orders.ts'
import { startAgent } from './testing.ts'
import { testFolder } from './testing-folder.ts'

const hasEnded = (status: string) => ['succeeded', 'incomplete', 'failed', 'cancelled'].includes(status)

async function runJob(
  server: TestServer,
  wish: { hostId: string; repositoryId: string; kind: 'init' | 'probe' | 'backup' | 'unlock'; spec?: object },
) {
  const { jobId } = await server.api.jobs.run.mutate({ requestId: newId(), spec: {}, ...wish } as never)
  await until(() => server.statusOf(jobId), hasEnded)
  return server.api.jobs.get.query({ jobId })
}

const hasSucceeded = (job: object) => 'status' in job && job.status === 'succeeded'

await currentRestic(restic => {
  test('a fresh host makes a repository, backs up into it, and its snapshot is in the list', async () => {
    const folder = testFolder('rm-real-')
    const source = join(folder, 'source')
    mkdirSync(source)
    for (const n of Array.from({ length: 50 }).keys())
      writeFileSync(join(source, `file-${n}`), `content ${n}`)
    await using server = await startServer()
    await using agent = await startAgent(server, { process: true, restic: restic.path })
    const stateOf = async () => (await server.api.hosts.get.query({ hostId: agent.hostId })).state
    await until(stateOf, is('online'))

    const { repositoryId, password } = await server.api.repositories.create.mutate({
      requestId: newId(),
      name: 'local',
      url: join(folder, 'repository'),
      hostIds: [agent.hostId],
    })
    const { hostId } = agent
    expect(await runJob(server, { hostId, repositoryId, kind: 'probe' })).toMatchObject({
      status: 'failed',
      reason: 'repository_missing',
    })
    expect(await runJob(server, { hostId, repositoryId, kind: 'init' })).toMatchObject({
      status: 'succeeded',
    })
    lightenRepository(join(folder, 'repository'), password ?? '')
    const backup = await runJob(server, { hostId, repositoryId, kind: 'backup', spec: { paths: [source] } })
    expect(backup).toMatchObject({ status: 'succeeded' })
    await until(
      async () => (await server.api.snapshots.list.query({ repositoryId } as never)).rows.length === 1,
    )
    expect(readdirSync(join(folder, 'repository'))).toContain('snapshots')
    expect(agent.status()).toMatchObject({ agentRuns: true, link: { state: 'connected' }, jobs: [] })
  })

  test('a planned backup is ordered while the server is there, runs alone while it is not, and is told with its time', async () => {
    const folder = testFolder('rm-plan-real-')
    const source = join(folder, 'source')
    mkdirSync(source)
    writeFileSync(join(source, 'file'), 'content')
    const clock = createTestClock('2026-01-15T11:59:00Z')
    await using server = await startServer({ process: true })
    await using agent = await startAgent(server, {
      ...{ clock, restic: restic.path, timing: { backoffBase: 50, backoffCap: 500 } },
    })
    const { hostId } = agent
    const { repositoryId, password } = await server.api.repositories.create.mutate({
      ...{ requestId: newId(), name: 'local', url: join(folder, 'repository'), hostIds: [hostId] },
    })
    expect(await runJob(server, { hostId, repositoryId, kind: 'init' })).toMatchObject({
      status: 'succeeded',
    })
    lightenRepository(join(folder, 'repository'), password ?? '')
    const { id: _, ...draft } = hourlyBackup({ repositoryIds: [repositoryId], paths: [source] })
    const { scheduleId } = await server.api.schedules.create.mutate({
      ...{ requestId: newId(), hostId, schedule: draft },
    })
    await until(() => agent.status().plan?.schedules.length === 1)
    const jobOf = (at: string) =>
      server.api.jobs.get.query({ jobId: slotJobId(scheduleId, at, repositoryId) }) as Promise<object>

    const ordered = '2026-01-15T12:00:00.000Z'
    await clock.advanceTo(ordered)
    await until(() => jobOf(ordered), hasSucceeded)
    expect(await jobOf(ordered)).toMatchObject({ scheduleId, scheduledFor: new Date(ordered) })
    await until(() => agent.status().jobs?.length === 0)

    await server.kill()
    await until(() => agent.status().link?.state === 'connecting')
    const alone = '2026-01-15T13:00:00.000Z'
    await clock.advanceTo(alone)
    await until(() => agent.facts().some(fact => fact.name === 'job.finished' && !fact.acked))
    await server.restart()
    await until(() => jobOf(alone), hasSucceeded)
    const started = agent
      .facts()
      .find(fact => fact.name === 'job.started' && fact.message.scheduledAt === alone)
    expect(started?.message).toMatchObject({ startedAt: alone })
    expect(await jobOf(alone)).toMatchObject({ startedAt: new Date(alone) })
    await until(() => agent.facts().every(fact => fact.acked))
  })
})
