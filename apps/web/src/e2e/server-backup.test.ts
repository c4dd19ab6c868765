// The server's own backup: made while it works, put back after it was lost, and what the hosts then tell again.
import { execFile } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { testDatabase, type TestServer } from '@restic-manager/server/testing'
import { is, until } from '@restic-manager/testkit/until'
import { nodeEnvironment } from '@restic-manager/testkit/node-environment'
import { expect, test } from 'vitest'
import { checkInvariants, recordStatuses } from './invariants.ts'
import { openScene } from './scene.ts'

const program = fileURLToPath(new URL('../../../server/src/admin.ts', import.meta.url))

/** Runs an admin command as the server's owner would, and answers what it printed. */
async function admin({ databaseUrl, secretKeyFile }: TestServer, args: string[], folder: string) {
  const env = { ...nodeEnvironment, DATABASE_URL: databaseUrl, RM_SECRET_KEY_FILE: secretKeyFile }
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], {
    env: { ...env, RM_DATA_DIR: folder },
  })
  return stdout
}

/** The test's own connections look like a server's. They come back when they are used again. */
async function disconnect({ databaseUrl }: TestServer) {
  const { sql, close } = await testDatabase()
  const name = new URL(databaseUrl).pathname.slice(1)
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`
  await close()
}

/** The notes of the watch are beside the dump: they are put back to the moment of the backup by hand. */
const keepNotes = ({ db }: TestServer) => db.execute('create table public.kept_notes as table watch.moves')

async function takeUpNotes({ db }: TestServer) {
  await db.execute('drop schema watch cascade')
  await recordStatuses(db)
  await db.execute('delete from watch.moves')
  await db.execute(`insert into watch.moves (job_id, step, status, reported)
    select job_id, step, status, reported from kept_notes order by at`)
}

test('a server restored from its own backup takes its host in and is told once again what the backup lacks (row 19)', async () => {
  const brief = { steps: [{ flood: { lines: 20, text: 'a line' } }, { summary: {} }] }
  const waits = (gate: string) => ({ steps: [{ wait: gate }, { summary: {} }] })
  await using scene = await openScene({
    serverProcess: true,
    script: { runs: { backup: [brief, waits('backup'), brief, waits('restore')] } },
  })
  const { server, agent, restic, hostId, repositoryId, folder } = scene
  const first = await scene.run('backup')
  await scene.ending(first)
  const during = await scene.run('backup')
  await restic.reached('backup')
  await scene.reaches(during, 'running')

  const file = path.join(folder, 'server.dump')
  await keepNotes(server)
  expect(await admin(server, ['backup', '--to', file], folder)).toContain(server.secretKeyFile)
  await expect(admin(server, ['restore', '--from', file], folder)).rejects.toMatchObject({
    stderr: expect.stringContaining('Stop every server'),
  })

  // From now on the host has a session that the backup does not know.
  scene.link.dropAll()
  restic.open('backup')
  expect(await scene.ending(during)).toMatchObject({ status: 'succeeded' })
  const after = await scene.run('backup')
  expect(await scene.ending(after)).toMatchObject({ status: 'succeeded' })
  const running = await scene.run('backup')
  await restic.reached('restore')
  await scene.reaches(running, 'running')
  const applied = agent.status().config?.version ?? 0

  await server.kill()
  await disconnect(server)
  await expect(admin(server, ['restore', '--from', file], folder)).rejects.toMatchObject({
    stderr: expect.stringContaining('not empty'),
  })
  await admin(server, ['restore', '--from', file, '--replace'], folder)
  await takeUpNotes(server)
  await server.restart()

  await until(scene.isOnline)
  await scene.reaches(running, 'running')
  restic.open('restore')
  for (const jobId of [during, after, running])
    expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded' })
  await checkInvariants(scene)

  expect(server.log()).toContain('restored from an older dump')
  const host = await server.api.hosts.get.query({ hostId })
  expect(host).toMatchObject({ state: 'online', quarantineReason: null })
  expect(host.configVersion).toBeGreaterThanOrEqual(applied)
  await until(() => agent.status().config, is({ version: host.configVersion, repositories: 1 }))
  const { rows } = await server.api.jobs.list.query({})
  expect(rows.map(({ id }) => id).toSorted()).toEqual([first, during, after, running].toSorted())
  const list = await until(
    () => server.api.snapshots.list.query({ repositoryId }),
    ({ rows: seen }) => seen.length === 4,
  )
  expect(list.rows.map(({ jobId }) => jobId).toSorted()).toEqual([first, during, after, running].toSorted())
  expect(restic.runs('backup')).toHaveLength(4)
  const { entries, atEnd } = await server.api.jobs.log.query({ jobId: first, limit: 1_000 })
  expect({ lines: entries.filter(entry => 'payload' in entry).length >= 20, atEnd }).toEqual({
    lines: true,
    atEnd: true,
  })
})
