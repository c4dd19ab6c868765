// What real restic meets: an agent that is killed under it, and storages that are away, refuse, or are full.
import { mkdir } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { jobReasons } from '@restic-manager/contract/reasons'
import { makeFiles } from '@restic-manager/testkit/files'
import { lightenRepository, makeLightRepository } from '@restic-manager/testkit/light-repository'
import { findTool } from '@restic-manager/testkit/restic'
import { resticRepository, type PlainRepository } from '@restic-manager/testkit/restic-repository'
import { restServer } from '@restic-manager/testkit/rest-server'
import { startTcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { checkInvariants } from './invariants.ts'
import { openScene, type Scene } from './scene.ts'

const [restic, rest] = await Promise.all([findTool('0.18.0'), findTool('rest-server')])
const missing = 'missing' in restic ? restic.missing : 'missing' in rest ? rest.missing : undefined
const but = missing === undefined ? '' : ` (${missing})`
const resticPath = 'path' in restic ? restic.path : ''
const restPath = 'path' in rest ? rest.path : ''

/** A few seconds of work over a slow line. */
async function makeSource(scene: Scene) {
  const source = path.join(scene.folder, 'source')
  await mkdir(source)
  makeFiles(source, { files: 8, bytes: 12_000_000 })
  return source
}

/** The process that holds the one lock of a repository, once there is one. */
async function lockHolder(repository: PlainRepository): Promise<number> {
  const [lock] = await until(
    () => repository.locks(),
    locks => locks.length === 1,
  )
  const { stdout } = await repository.run('cat', 'lock', String(lock), '--no-lock')
  return (JSON.parse(stdout) as { pid: number }).pid
}

test.skipIf(missing !== undefined)(
  `an agent killed in mid-backup leaves no restic and no lock behind, and the next backup works (row 20)${but}`,
  async () => {
    await using storage = await restServer({ path: restPath })
    await using line = await startTcpProxy({ port: storage.port })
    await using scene = await openScene({ restic: resticPath })
    const { server, agent, hostId } = scene
    const source = await makeSource(scene)
    const password = 'a password of tests'
    const repositoryId = await scene.createRepository({
      name: 'slow',
      url: storage.url('r', { port: line.port }),
      password,
    })
    const plain = resticRepository({ restic: resticPath, url: storage.url('r'), password })
    const backUp = () => scene.run('backup', { repositoryId, paths: [source] })
    makeLightRepository(path.join(storage.dir, 'r'), password)

    for (const harm of ['agent', 'agent and restic'] as const) {
      await line.set({ bytesPerSecond: 1_000_000 })
      const jobId = await backUp()
      await scene.reaches(jobId, 'running')
      const pid = await lockHolder(plain)
      if (harm === 'agent and restic') {
        // The agent must not see restic die first: that would be another ending.
        process.kill(agent.pid() ?? 0, 'SIGSTOP')
        process.kill(pid, 'SIGKILL')
      }
      await agent.kill()
      await line.set('pass')
      await until(() => !existsSync(`/proc/${pid}`), undefined, { what: 'restic to be gone' })
      if (harm === 'agent and restic') expect(await plain.locks()).toHaveLength(1)
      await agent.restart()
      expect(await scene.ending(jobId)).toMatchObject({ status: 'failed', reason: 'agent_restarted' })
      await until(
        () => plain.locks(),
        locks => locks.length === 0,
      )
    }
    expect(await scene.ending(await backUp())).toMatchObject({ status: 'succeeded' })
    await checkInvariants(scene)
    expect(await plain.snapshots()).toHaveLength(1)
    await until(async () =>
      (await server.api.hosts.get.query({ hostId })).repositories.every(
        ({ lockState }) => lockState !== 'locked',
      ),
    )
  },
)

test.skipIf(missing !== undefined)(
  `a storage that is away, refuses, is empty, has another password or is full is told apart, once, and left alone (row 31)${but}`,
  async () => {
    const user = { name: 'noor', password: 'a secret of the storage' }
    await using storage = await restServer({ path: restPath, user, maxSizeBytes: 2_000_000 })
    await using line = await startTcpProxy({ port: storage.port })
    await using scene = await openScene({ restic: resticPath, agentTiming: { probeDeadline: 4_000 } })
    const { server, hostId } = scene
    const source = await makeSource(scene)
    const url = (name: string) => storage.url(name, { port: line.port, credentials: false })
    const password = 'a password of tests'
    const create = async (
      name: string,
      change: { path?: string; credential?: string; password?: string } = {},
    ) => {
      const { repositoryId } = await server.api.repositories.create.mutate({
        requestId: crypto.randomUUID(),
        name,
        url: url(change.path ?? 'r'),
        username: user.name,
        credential: change.credential ?? user.password,
        password: change.password ?? password,
        hostIds: [hostId],
      })
      return repositoryId
    }
    const good = await create('good')
    const stranger = await create('stranger', { credential: 'another secret' })
    const mistaken = await create('mistaken', { password: 'another password' })
    const empty = await create('empty', { path: 'nothing-here' })
    expect(await scene.ending(await scene.run('init', { repositoryId: good }))).toMatchObject({
      status: 'succeeded',
    })
    lightenRepository(path.join(storage.dir, 'r'), password)

    const asked: string[] = []
    const fails = async (kind: 'probe' | 'backup', repositoryId: string, reason: keyof typeof jobReasons) => {
      const jobId = await scene.run(kind, { repositoryId, paths: [source] })
      asked.push(jobId)
      const job = await scene.ending(jobId)
      expect(job).toMatchObject({
        status: 'failed',
        reason,
        error: expect.stringContaining(jobReasons[reason]),
      })
      return job.error
    }
    const sentences = new Set([
      await fails('probe', stranger, 'backend_auth'),
      await fails('probe', mistaken, 'wrong_password'),
      await fails('probe', empty, 'repository_missing'),
      await fails('backup', good, 'storage_full'),
    ])
    expect(sentences.size).toBe(4)
    for (const [repositoryId, reason] of [
      [stranger, 'backend_auth'],
      [mistaken, 'wrong_password'],
      [empty, 'repository_missing'],
    ] as const)
      await fails('backup', repositoryId, reason)
    expect(existsSync(path.join(storage.dir, 'nothing-here', 'config'))).toBe(false)

    await line.set('reset')
    const before = line.counts.connections
    await fails('probe', good, 'unreachable')
    await fails('backup', good, 'unreachable')
    const tries = line.counts.connections - before
    expect(tries).toBeGreaterThan(0)
    expect(tries).toBeLessThan(100)

    await checkInvariants(scene)
    // Nobody tries again by itself: one row for each wish, and the storage is left in peace.
    const { rows } = await server.api.jobs.list.query({ statuses: ['failed'] })
    expect(rows.map(({ id }) => id).toSorted()).toEqual(asked.toSorted())
    await line.set('pass')
    expect(await scene.ending(await scene.run('probe', { repositoryId: good }))).toMatchObject({
      status: 'succeeded',
    })
  },
)
