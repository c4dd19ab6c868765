// A server that is killed, whose database connections die, whose database is put back to an older state.
import { testDatabase, type TestServer } from '@restic-manager/server/testing'
import { is, until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { checkInvariants, pathOf } from './invariants.ts'
import { openScene } from './scene.ts'

const talk = (lines: number, linesPerSecond?: number) => ({
  flood: { lines, text: 'a line restic says whoever listens', ...(linesPerSecond && { linesPerSecond }) },
})

test('a server killed in mid-job and started again has the whole job, which ran once (row 8)', async () => {
  const steps = [talk(500), { wait: 'kill' }, talk(500), { wait: 'end' }, { summary: {} }]
  await using scene = await openScene({ serverProcess: true, script: { runs: { backup: { steps } } } })
  const { server, agent, restic } = scene
  const jobId = await scene.run('backup')
  await restic.reached('kill')
  await scene.reaches(jobId, 'running')

  restic.open('kill')
  await server.kill()
  await restic.reached('end')
  restic.open('end')
  await until(() => agent.facts().some(fact => fact.name === 'job.finished' && !fact.acked))
  await server.restart()

  expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded' })
  expect(restic.runs('backup')).toMatchObject([{ signals: [], exitCode: 0 }])
  await checkInvariants(scene)
  expect(await pathOf(server.db, jobId)).toEqual(['queued', 'accepted', 'running', 'succeeded'])
  const { entries, atEnd } = await server.api.jobs.log.query({ jobId, limit: 5_000 })
  const said = entries.filter(entry => 'payload' in entry && entry.stream === 'stdout')
  expect({ said: said.length, atEnd }).toEqual({ said: 1_000, atEnd: true })
})

test('a server killed right after it committed a fact is told again, and the repeat changes nothing (row 8)', async () => {
  await using scene = await openScene({ serverProcess: true })
  const { server, agent, restic } = scene
  for (const moment of ['accepted', 'running', 'succeeded'] as const) {
    const before = restic.runs('backup').length
    const jobId = await scene.run('backup')
    // The path keeps every status: a short one cannot slip by.
    await until(
      () => pathOf(server.db, jobId),
      path => path.includes(moment),
      { everyMs: 1 },
    )
    await server.kill()
    await server.restart()
    expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded' })
    expect(restic.runs('backup')).toHaveLength(before + 1)
  }
  await checkInvariants(scene)
  expect(agent.output()).not.toContain('set aside')
})

/** Ends every connection to the server's database but the one that asks, until it is told to stop. */
function killBackends({ db }: TestServer) {
  const over = new AbortController()
  let killed = 0
  const killing = (async () => {
    while (!over.signal.aborted) {
      const [round] = await db
        .execute<{ n: number }>(
          `select count(pg_terminate_backend(pid))::integer as n from pg_stat_activity
           where datname = current_database() and pid <> pg_backend_pid()`,
        )
        .catch(() => [])
      killed += round?.n ?? 0
      // Now and then long enough for a transaction to get through, however busy the machine is.
      await new Promise(resolve => setTimeout(resolve, 20 + 400 * Math.random() ** 2))
    }
  })()
  return async () => {
    over.abort()
    await killing
    return killed
  }
}

test('while the connections to its database are killed again and again, jobs are asked for, run and told, and nothing is half done (row 15)', async () => {
  const steps = [talk(1_200, 1_000), { summary: {} }]
  await using scene = await openScene({ serverProcess: true, script: { runs: { backup: { steps } } } })
  const { server, restic } = scene
  const pid = server.pid()
  const calm = killBackends(server)
  const jobIds = [await scene.run('backup'), await scene.run('backup'), await scene.run('backup')]
  await until(() => restic.runs('backup').filter(run => run.exitCode === 0).length === 3, undefined, {
    what: 'three backups to have run',
    timeoutMs: 60_000,
    everyMs: 300,
  })
  expect(await calm()).toBeGreaterThan(20)

  for (const jobId of jobIds) expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded' })
  await checkInvariants(scene)
  const [made] = await server.db.execute<{ n: number }>(`select count(*)::integer as n from jobs`)
  expect(made?.n).toBe(3)
  const { rows } = await until(
    () => server.api.snapshots.list.query({ repositoryId: scene.repositoryId }),
    list => list.rows.length === 3,
  )
  expect(rows.map(row => row.jobId).toSorted()).toEqual(jobIds.toSorted())
  expect(server.pid()).toBe(pid)
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
})

/** The database as a dump, and back. The server must be down; what else holds a connection is cut. */
async function dumpDatabase(server: TestServer) {
  const { sql, close } = await testDatabase()
  const own = new URL(server.databaseUrl).pathname.slice(1)
  const copy = async (from: string, to: string) => {
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${from}`
    await sql`create database ${sql(to)} template ${sql(from)}`
  }
  const dump = `${own}_dump`
  await copy(own, dump)
  return {
    async restore() {
      await sql`drop database ${sql(own)} with (force)`
      await copy(dump, own)
    },
    async [Symbol.asyncDispose]() {
      await sql`drop database ${sql(dump)}`
      await close()
    },
  }
}

test('after an older dump is put back the agent is taken in with a warning, and tells again what the dump does not know (row 19)', async () => {
  const brief = { steps: [talk(20), { summary: {} }] }
  const long = { steps: [talk(20), { wait: 'end' }, talk(20), { summary: {} }] }
  await using scene = await openScene({
    serverProcess: true,
    script: { runs: { backup: [brief, brief, brief, long] } },
  })
  const { server, agent, restic, hostId, repositoryId } = scene
  const first = await scene.run('backup')
  await scene.ending(first)
  await until(() => agent.status().spool?.waiting === 0)
  await server.kill()
  await using dump = await dumpDatabase(server)
  await server.restart()

  const later = await scene.createRepository({ name: 'later', url: '/srv/later' })
  const [second, third] = [await scene.run('backup'), await scene.run('backup', { repositoryId: later })]
  for (const jobId of [second, third])
    expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded' })
  const running = await scene.run('backup')
  await restic.reached('end')
  await scene.reaches(running, 'running')
  const applied = agent.status().config?.version ?? 0
  await server.kill()
  await dump.restore()
  await server.restart()

  await until(scene.isOnline)
  await scene.reaches(running, 'running')
  restic.open('end')
  const ended = await Promise.all([second, third, running].map(jobId => scene.ending(jobId)))
  expect(ended.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'succeeded'])
  await checkInvariants(scene)

  expect(server.log()).toContain('restored from an older dump')
  const host = await server.api.hosts.get.query({ hostId })
  expect(host).toMatchObject({ state: 'online', quarantineReason: null })
  expect(host.configVersion).toBeGreaterThan(applied)
  await until(() => agent.status().config, is({ version: host.configVersion, repositories: 1 }))
  const { rows } = await server.api.jobs.list.query({})
  expect(rows.map(({ id }) => id).toSorted()).toEqual([first, second, third, running].toSorted())
  const list = await until(
    () => server.api.snapshots.list.query({ repositoryId }),
    ({ rows }) => rows.length >= 3,
  )
  expect(list.rows.map(({ jobId }) => jobId).toSorted()).toEqual([first, second, running].toSorted())
  expect(restic.runs('backup')).toHaveLength(4)
})
