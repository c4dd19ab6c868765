// A real agent of a real server, with real restic: what a person would see.
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { startServer, type TestServer } from '@restic-manager/server/testing'
import { is, until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { startAgent } from './testing.ts'

const hasEnded = (status: string) => ['succeeded', 'incomplete', 'failed', 'cancelled'].includes(status)

async function runJob(
  server: TestServer,
  wish: { hostId: string; repositoryId: string; kind: 'init' | 'probe' | 'backup' | 'unlock'; spec?: object },
) {
  const { jobId } = await server.api.jobs.run.mutate({ requestId: newId(), spec: {}, ...wish } as never)
  await until(() => server.statusOf(jobId), hasEnded)
  return server.api.jobs.get.query({ jobId })
}

test('a fresh host makes a repository, backs up into it, and its snapshot is in the list', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rm-real-'))
  const source = join(folder, 'source')
  mkdirSync(source)
  for (const n of Array.from({ length: 50 }).keys()) writeFileSync(join(source, `file-${n}`), `content ${n}`)
  await using server = await startServer()
  await using agent = await startAgent(server, { process: true })
  const stateOf = async () => (await server.api.hosts.get.query({ hostId: agent.hostId })).state
  await until(stateOf, is('online'))

  const { repositoryId } = await server.api.repositories.create.mutate({
    requestId: newId(),
    name: 'local',
    url: join(folder, 'repository'),
    hostIds: [agent.hostId],
  } as never)
  const { hostId } = agent
  expect(await runJob(server, { hostId, repositoryId, kind: 'probe' })).toMatchObject({
    status: 'failed',
    reason: 'repository_missing',
  })
  expect(await runJob(server, { hostId, repositoryId, kind: 'init' })).toMatchObject({ status: 'succeeded' })
  const backup = await runJob(server, { hostId, repositoryId, kind: 'backup', spec: { paths: [source] } })
  expect(backup).toMatchObject({ status: 'succeeded' })
  await until(
    async () => (await server.api.snapshots.list.query({ repositoryId } as never)).rows.length === 1,
  )
  expect(readdirSync(join(folder, 'repository'))).toContain('snapshots')
  expect(agent.status()).toMatchObject({ agentRuns: true, link: { state: 'connected' }, jobs: [] })
})
