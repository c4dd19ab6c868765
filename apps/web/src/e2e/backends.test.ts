// The whole product on storage far away: what a host may not do, its maintenance host does with the admin credential.
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startAgent, type TestAgent } from '@restic-manager/agent/testing'
import { newId } from '@restic-manager/contract/ids'
import { hasEnded } from '@restic-manager/contract/job-ended'
import type { ScheduleDraft } from '@restic-manager/contract/schedule'
import { startServer, type TestServer } from '@restic-manager/server/testing'
import { appendOnlyStore } from '@restic-manager/testkit/append-only-store'
import { makeFiles } from '@restic-manager/testkit/files'
import { lightenRepository } from '@restic-manager/testkit/light-repository'
import { currentRestic, findTool, isLongRun } from '@restic-manager/testkit/restic'
import { resticRepository } from '@restic-manager/testkit/restic-repository'
import { complaintAboutSsh, sshServer } from '@restic-manager/testkit/ssh-server'
import { until } from '@restic-manager/testkit/until'
import { webdavServer } from '@restic-manager/testkit/webdav-server'
import { expect, test } from 'vitest'

const SLOW = 240_000
const rest = await findTool('rest-server')
const rclone = await findTool('rclone')
const sshd = await findTool('sshd')
const noSsh = 'path' in sshd ? await complaintAboutSsh(sshd.path) : sshd.missing
const pathOf = (tool: { path: string } | { missing: string }) => ('path' in tool ? tool.path : '')
const password = 'canary-of-restic'

/** Waits for a job's end and gives it back as an operator sees it. */
const endOf = (server: TestServer, jobId: string) =>
  until(
    () => server.api.jobs.get.query({ jobId }),
    ({ status }) => hasEnded(status),
    { what: `the end of job ${jobId}`, timeoutMs: 90_000, everyMs: 50 },
  )

const run = async (
  server: TestServer,
  kind: 'init' | 'probe' | 'prune' | 'check' | 'unlock',
  on: { hostId: string; repositoryId: string },
) => {
  const { jobId } = await server.api.jobs.run.mutate({ requestId: newId(), kind, spec: {}, ...on })
  return endOf(server, jobId)
}

const manual = {
  timeZone: 'UTC',
  enabled: true,
  manual: true,
  catchUp: 'once',
  overlap: 'skip',
  jitterSeconds: 0,
} as const satisfies Partial<ScheduleDraft>

/** A manual schedule, which runs each time it is asked to. */
async function plan(
  server: TestServer,
  hostId: string,
  draft: Pick<ScheduleDraft, 'name' | 'kind' | 'repositoryIds'> & Partial<ScheduleDraft>,
) {
  const schedule = { ...manual, ...draft }
  const { scheduleId } = await server.api.schedules.create.mutate({ requestId: newId(), hostId, schedule })
  return {
    scheduleId,
    async runNow() {
      const { jobIds } = await server.api.schedules.runNow.mutate({ requestId: newId(), scheduleId })
      expect(jobIds).toHaveLength(1)
      return endOf(server, jobIds[0] as string)
    },
  }
}

/** Every file of an agent's state that holds the text. */
function filesWith(agent: TestAgent, text: string): string {
  try {
    return execFileSync('grep', ['-rlaF', '--', text, agent.stateDir], { encoding: 'utf8' })
  } catch {
    return ''
  }
}

await currentRestic(restic => {
  test.skipIf('missing' in rest)(
    'on append-only storage the host cannot delete, and forget and prune by the maintenance host succeed',
    async () => {
      const folder = await mkdtemp(path.join(tmpdir(), 'rm-backends-'))
      const everyday = { name: 'web', password: 'canary-everyday' }
      const admin = { name: 'keeper', password: 'canary-admin' }
      await using store = await appendOnlyStore({ path: pathOf(rest), everyday, admin })
      await using server = await startServer()
      await using web = await startAgent(server, { restic: restic.path, name: 'web' })
      await using keeper = await startAgent(server, { restic: restic.path, name: 'keeper' })
      const { repositoryId } = await server.api.repositories.create.mutate({
        requestId: newId(),
        name: 'vault',
        url: store.url('vault'),
        username: everyday.name,
        credential: everyday.password,
        password,
        mayDelete: false,
        maintenanceHostId: keeper.hostId,
        adminUsername: admin.name,
        adminCredential: admin.password,
        hostIds: [web.hostId],
      })
      const on = { hostId: web.hostId, repositoryId }
      expect(await run(server, 'init', on)).toMatchObject({ status: 'succeeded' })
      lightenRepository(path.join(store.dir, 'vault'), password)
      const files = path.join(folder, 'files')
      const backup = await plan(server, web.hostId, {
        name: 'files',
        kind: 'backup',
        repositoryIds: [repositoryId],
        paths: [files],
      })
      for (const seed of [1, 2, 3]) {
        makeFiles(files, { files: 5, bytes: 200_000, seed })
        expect(await backup.runNow()).toMatchObject({ status: 'succeeded', hostId: web.hostId })
      }

      const plain = resticRepository({ restic: restic.path, url: path.join(store.dir, 'vault'), password })
      const keepOne = await plan(server, web.hostId, {
        name: 'thin out',
        kind: 'forget',
        repositoryIds: [repositoryId],
        retention: { last: 1 },
        forgets: [backup.scheduleId],
      })
      // Somebody claims that the everyday credential may delete. The storage knows better.
      const claim = async (mayDelete: boolean) => {
        const [repository] = await server.api.repositories.list.query()
        if (repository === undefined) throw new Error('the repository is gone')
        const { name, url, version } = repository
        const hostIds = [web.hostId]
        const username = everyday.name
        await server.api.repositories.update.mutate({
          ...{ repositoryId, version, name, url, username, mayDelete, hostIds },
          adminUsername: admin.name,
        })
      }
      await claim(true)
      const refused = await keepOne.runNow()
      expect(refused).toMatchObject({ status: 'failed', hostId: web.hostId, reason: 'deletion_refused' })
      expect(store.refusedDeletions()).toBeGreaterThan(0)
      expect(await plain.snapshots()).toHaveLength(3)

      await claim(false)
      const thinned = await keepOne.runNow()
      expect(thinned).toMatchObject({ status: 'succeeded', hostId: keeper.hostId, forHostName: 'web' })
      expect(await plain.snapshots()).toHaveLength(1)
      const prune = await plan(server, web.hostId, {
        name: 'prune',
        kind: 'prune',
        repositoryIds: [repositoryId],
      })
      const pruned = await prune.runNow()
      expect(pruned).toMatchObject({ status: 'succeeded', hostId: keeper.hostId, forHostName: 'web' })
      const check = await run(server, 'check', { hostId: keeper.hostId, repositoryId })
      expect(check).toMatchObject({ status: 'succeeded' })
      await plain.check()
      expect(await plain.locks()).toEqual([])
      expect(await backup.runNow()).toMatchObject({ status: 'succeeded' })

      // The admin credential was lent for the runs and is nowhere now. The keeper has no other.
      expect(filesWith(web, everyday.password)).not.toBe('')
      for (const agent of [web, keeper]) expect(filesWith(agent, admin.password)).toBe('')
      expect(filesWith(keeper, everyday.password)).toBe('')
      expect(await readFile(path.join(store.dir, '.htpasswd'), 'utf8')).toContain(admin.name)
      await rm(folder, { recursive: true })
    },
    SLOW,
  )

  /** Every kind of job on a repository that this one host both backs up to and maintains: in the long run, since the agent has a test of each of these ways. */
  async function everyKind(
    access: { url: string; credential?: string },
    { dir, programs }: { dir: string; programs: string },
  ) {
    const folder = await mkdtemp(path.join(tmpdir(), 'rm-backends-'))
    await using server = await startServer()
    await using agent = await startAgent(server, { restic: restic.path, programs })
    const { hostId } = agent
    const { repositoryId } = await server.api.repositories.create.mutate({
      requestId: newId(),
      name: 'far',
      password,
      maintenanceHostId: hostId,
      acceptsRisk: true,
      hostIds: [hostId],
      ...access,
    })
    const on = { hostId, repositoryId }
    expect(await run(server, 'probe', on)).toMatchObject({ status: 'failed', reason: 'repository_missing' })
    expect(await run(server, 'init', on)).toMatchObject({ status: 'succeeded' })
    lightenRepository(path.join(dir, 'far'), password)
    const files = path.join(folder, 'files')
    makeFiles(files, { files: 5, bytes: 200_000 })
    const repositoryIds = [repositoryId]
    const backup = await plan(server, hostId, { name: 'b', kind: 'backup', repositoryIds, paths: [files] })
    for (const _ of [1, 2]) expect(await backup.runNow()).toMatchObject({ status: 'succeeded' })
    const forget = await plan(server, hostId, {
      ...{ name: 'f', kind: 'forget', repositoryIds },
      retention: { last: 1 },
      forgets: [backup.scheduleId],
    })
    expect(await forget.runNow()).toMatchObject({ status: 'succeeded' })
    for (const kind of ['prune', 'check', 'unlock'] as const)
      expect(await run(server, kind, on)).toMatchObject({ kind, status: 'succeeded' })
    const { rows } = await server.api.snapshots.list.query({ repositoryId })
    expect(rows).toHaveLength(1)
    await rm(folder, { recursive: true })
  }

  test.skipIf(noSsh !== undefined || !isLongRun)(
    `every kind of job works over SFTP${noSsh === undefined ? '' : ` (${noSsh})`}`,
    async () => {
      await using ssh = await sshServer({ path: pathOf(sshd) })
      await everyKind({ url: ssh.url('far') }, ssh)
    },
    SLOW,
  )

  test.skipIf('missing' in rclone || !isLongRun)(
    `every kind of job works through rclone${'missing' in rclone ? ` (${rclone.missing})` : ''}`,
    async () => {
      await using dav = await webdavServer({ path: pathOf(rclone), password: 'canary-dav' })
      await everyKind(
        { url: 'rclone:vault:far', credential: await dav.section() },
        { dir: dav.dir, programs: path.dirname(pathOf(rclone)) },
      )
    },
    SLOW,
  )
})
