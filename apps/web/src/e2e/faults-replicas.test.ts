// Two servers on one database: orders find their host wherever it is, and a server that stops, sleeps or is replaced costs nothing.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startAgent, type AgentOptions } from '@restic-manager/agent/testing'
import { checkEvidence, whatIsNotQuiet } from '@restic-manager/bench/checker/checker'
import { watchStatements } from '@restic-manager/bench/checker/watch'
import type { Evidence } from '@restic-manager/bench/checker/evidence'
import { newId } from '@restic-manager/contract/ids'
import { hasEnded } from '@restic-manager/contract/job-ended'
import type { JobStatus } from '@restic-manager/contract/job'
import { ensureLogDay, startServer, type TestServer } from '@restic-manager/server/testing'
import { fakeRestic } from '@restic-manager/testkit/fake-restic'
import type { FakeScript, FakeStep } from '@restic-manager/testkit/fake-restic-script'
import { startTcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { is, until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'

/** Longer than any test: what is waited for this long does not happen by itself. */
const never = 600_000
/** Short enough for a test, long enough for a busy machine. */
const watchful = { ping: 500, pong: 4_000, answer: 4_000, handshake: 2_000, backoffBase: 20, backoffCap: 200 }

/** A host of `server` with a fake restic, a repository, and a link that can lead to any server. */
async function openHost(server: TestServer, script: FakeScript, options: AgentOptions = {}) {
  await using undo = new AsyncDisposableStack()
  const folder = await mkdtemp(path.join(tmpdir(), 'rm-replicas-'))
  undo.defer(() => rm(folder, { recursive: true, force: true }))
  const restic = fakeRestic(path.join(folder, 'fake'), script)
  const link = undo.use(await startTcpProxy({ port: server.port }))
  const agent = undo.use(
    await startAgent(server, {
      url: `http://127.0.0.1:${link.port}`,
      restic: restic.path,
      timing: { ...watchful, proceedAlone: never, ...options.timing },
      ...options,
    }),
  )
  const { hostId } = agent
  const { db } = server
  const look = async () => {
    const [row] = await db.execute<{ online: boolean; session: string }>(
      `select online, session_number as session from hosts where id = '${hostId}'`,
    )
    return { online: row?.online === true, session: Number(row?.session) }
  }
  await until(async () => (await look()).online, undefined, {
    what: 'the host to come online',
    timeoutMs: 60_000,
  })
  const { repositoryId } = await server.api.repositories.create.mutate({
    ...{ requestId: newId(), hostIds: [hostId] },
    ...{ name: `repository of ${hostId}`, url: path.join(folder, 'repository') },
  })
  const owned = undo.move()
  return {
    ...{ restic, link, agent, hostId, look },
    /** What an operator asks for. One wish may be sent often, to any server. */
    wish: () => ({
      ...{ requestId: newId(), hostId, repositoryId },
      ...{ kind: 'backup' as const, spec: { paths: ['/etc/hostname'] } },
    }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

type Host = Awaited<ReturnType<typeof openHost>>

/** From now on the database keeps every status of every job. */
async function keepStatuses({ db }: TestServer) {
  for (const statement of watchStatements) await db.execute(statement)
}

/** Waits for quiet and asks what must be true after any fault, of all servers and hosts together. */
async function checkTogether(servers: TestServer[], fleet: Host[]) {
  const evidence = (): Evidence => ({
    databaseUrl: servers[0]?.databaseUrl ?? '',
    realAgents: fleet.map(({ agent, hostId }) => ({ hostId, stateDir: agent.stateDir })),
    ledgerFolders: fleet.map(({ restic }) => path.dirname(restic.folder)),
    connectedHostIds: fleet.map(({ hostId }) => hostId),
    outputs: servers.map((server, at) => ({ name: `server ${at + 1}`, text: server.log() })),
    ...{ simulated: [], exits: [], memory: [], secrets: [] },
    ...{ since: new Date(0), until: new Date(0) },
  })
  await until(() => whatIsNotQuiet(evidence()), is([]), { what: 'quiet', timeoutMs: 60_000, everyMs: 300 })
  // A report may be on its way when the books are opened: what is broken stays broken.
  await until(() => checkEvidence(evidence()), is([]), { what: 'a run in which nothing is broken' })
}

const statusOf = async ({ db }: TestServer, jobId: string): Promise<JobStatus | undefined> =>
  (await db.execute<{ status: JobStatus }>(`select status from jobs where id = '${jobId}'`))[0]?.status

const reaches = (server: TestServer, jobId: string, status: JobStatus) =>
  until(() => statusOf(server, jobId), is(status), { what: `${status} of job ${jobId}`, timeoutMs: 60_000 })

const jobsThatRan = (runs: { argv: readonly string[] }[]) =>
  runs.map(({ argv }) => /rm-job=([0-9a-f-]{36})/.exec(argv.join(' '))?.[1] ?? 'no job')

const brief: FakeStep[] = [{ flood: { lines: 20, text: 'a line' } }, { summary: {} }]

test('an order given at one server reaches its host at another at once, also when the notification is lost, and is one order whoever hears the wish (row 11)', async () => {
  await using first = await startServer({ timing: { poll: never } })
  await using second = await startServer({ beside: first, timing: { poll: never } })
  await using host = await openHost(second, { runs: { backup: { steps: brief } } })

  // Nobody polls: only a notification brings the order over.
  const wish = host.wish()
  const answers = await Promise.all(
    [first, second, first, second].map(server => server.api.jobs.run.mutate(wish)),
  )
  const [jobId = ''] = new Set(answers.map(answer => answer.jobId))
  expect(new Set(answers.map(answer => answer.jobId)).size).toBe(1)
  await reaches(first, jobId, 'succeeded')
  expect(jobsThatRan(host.restic.runs('backup'))).toEqual([jobId])

  // A server that hears no notification any more, and does not know.
  const { hostname, port, searchParams } = new URL(first.databaseUrl)
  const folder = searchParams.get('host')
  await using listening = await startTcpProxy(
    folder === null ? { host: hostname, port: Number(port) } : { path: `${folder}/.s.PGSQL.${port || 5432}` },
  )
  const direct = new URL(first.databaseUrl)
  direct.search = ''
  direct.host = `127.0.0.1:${listening.port}`
  await using deaf = await startServer({
    beside: first,
    timing: { poll: 500 },
    env: { DATABASE_DIRECT_URL: direct.href },
  })
  host.link.retarget({ port: deaf.port })
  const before = await host.look()
  host.link.dropAll()
  await until(host.look, seen => seen.online && seen.session > before.session)
  await listening.set('dropDown')
  const { jobId: unheard } = await first.api.jobs.run.mutate(host.wish())
  await reaches(first, unheard, 'succeeded')
  expect(jobsThatRan(host.restic.runs('backup'))).toEqual([jobId, unheard])
})

test('a server that sleeps in mid-job loses its agents to another, and changes nothing when it wakes (row 10)', async () => {
  const talk = { flood: { lines: 2_000, text: 'a line that a sleeping server will read' } }
  const steps: FakeStep[] = [talk, { wait: 'asleep' }, talk, { wait: 'end' }, talk, { summary: {} }]
  await using asleep = await startServer({ process: true, timing: { ping: 500, pong: 1_500 } })
  // As a chore has it days ahead: a server that sleeps in the midst of a statement would keep the place of a new day from being made.
  await ensureLogDay(asleep.db, new Date().toISOString().slice(0, 10))
  await using awake = await startServer({ beside: asleep })
  await keepStatuses(awake)
  await using host = await openHost(asleep, { runs: { backup: [{ steps }, { steps: brief }] } })
  const pid = asleep.pid() ?? 0
  const { jobId } = await awake.api.jobs.run.mutate(host.wish())
  await host.restic.reached('asleep')
  await reaches(awake, jobId, 'running')
  const old = await host.look()

  process.kill(pid, 'SIGSTOP')
  try {
    // What the agent says before it notices waits in the sleeper's ear.
    // A transaction it sleeps in keeps the host's row until the database ends it, half a minute later.
    host.restic.open('asleep')
    host.link.retarget({ port: awake.port })
    await until(host.look, seen => seen.online && seen.session > old.session, { timeoutMs: 150_000 })
    await host.restic.reached('end')
    host.restic.open('end')
    await reaches(awake, jobId, 'succeeded')
    const { jobId: next } = await awake.api.jobs.run.mutate(host.wish())
    await reaches(awake, next, 'succeeded')
    // The list of snapshots is the last word, some time after the end of the job.
    await until(
      () => host.agent.facts(),
      facts =>
        facts.every(({ acked }) => acked) &&
        facts.some(({ name, message }) => name === 'snapshots.report' && message.snapshots.length === 2),
      { what: 'everything to be told', timeoutMs: 150_000 },
    )
    await until(() => host.agent.status().spool?.logBytes, is(0), { timeoutMs: 150_000 })
  } finally {
    process.kill(pid, 'SIGCONT')
  }

  const picture = async () => ({
    host: await host.look(),
    jobs: [...(await awake.db.execute(`select id, status, reported, next_log_seq from jobs order by id`))],
    blocks: [...(await awake.db.execute(`select job_id, first_seq, count from log_blocks order by 1, 2`))],
    spools: [...(await awake.db.execute(`select epoch, acked_first, acked_rest from spools`))],
  })
  const seen = await picture()
  expect(seen.host.online).toBe(true)
  // It is awake: it answers, has found its old connections gone, and does its share of the chores.
  await until(() => asleep.api.jobs.list.query({}), undefined, { timeoutMs: 60_000 })
  await awake.db.execute(
    `update chore_turns set next_at = now() - interval '1 second' where name not like '%, rest'`,
  )
  await until(
    async () =>
      (await awake.db.execute(`select 1 from chore_turns where next_at < now() and name not like '%, rest'`))
        .length,
    is(0),
    { what: 'a round of the chores' },
  )
  expect(await picture()).toEqual(seen)
  await checkTogether([asleep, awake], [host])
  expect(jobsThatRan(host.restic.runs('backup')).length).toBe(2)
  expect(asleep.log()).not.toMatch(/nobody caught|unhandled/i)
})

test('a server whose event loop stands still for a while keeps its agents (row 12)', async () => {
  const periods = { ping: 1_500, pong: 10_000 }
  await using server = await startServer({ process: true, timing: { ping: 500, pong: 500 } })
  await using host = await openHost(
    server,
    { runs: { backup: { steps: brief } } },
    { timing: { ...watchful, ...periods } },
  )
  const before = await host.look()
  const pid = server.pid() ?? 0
  process.kill(pid, 'SIGSTOP')
  // As ten seconds are to the usual periods: shorter than the agent's patience, longer than the server's own.
  await pause(2_000)
  process.kill(pid, 'SIGCONT')
  const { jobId } = await until(() => server.api.jobs.run.mutate(host.wish()))
  await reaches(server, jobId, 'succeeded')
  expect(await host.look()).toEqual({ online: true, session: before.session })
  expect(host.agent.status().link?.state).toBe('connected')
})

test('two servers are replaced one after the other under load: no job fails, none runs twice, nothing is lost, and a page goes on (row 9)', async () => {
  const env = { RM_LOG_LEVEL: 'warn' }
  await using first = await startServer({ process: true, env })
  await using second = await startServer({ process: true, beside: first, env })
  await keepStatuses(first)
  const servers = [first, second]
  const lasting: FakeStep[] = [{ flood: { lines: 100, text: 'a line' } }, { sleepMs: 300 }, { summary: {} }]
  await using hosts = new AsyncDisposableStack()
  const fleet: Host[] = []
  for (const server of [first, second, first])
    fleet.push(hosts.use(await openHost(server, { runs: { backup: { steps: lasting } } })))

  let changes = 0
  const page = second.api.live.changes.subscribe(undefined, { onData: () => (changes += 1) })
  const replaced = new AbortController()
  const load = fleet.map(async (host, at) => {
    const jobIds: string[] = []
    while (!replaced.signal.aborted) {
      const wish = host.wish()
      const asked = servers[(at + jobIds.length) % 2] ?? first
      // Whoever is not there is asked again, or the other one is.
      const { jobId } = await until(() => asked.api.jobs.run.mutate(wish), undefined, { timeoutMs: 60_000 })
      jobIds.push(jobId)
      await until(
        () => statusOf(first, jobId),
        status => status !== undefined && hasEnded(status),
        {
          ...{ what: `the end of job ${jobId}`, timeoutMs: 60_000, everyMs: 50 },
        },
      )
    }
    return jobIds
  })
  for (const [leaving, staying] of [
    [first, second],
    [second, first],
  ] as const) {
    // What a load balancer does: nobody new goes to the one that says it is stopping.
    for (const { link } of fleet) link.retarget({ port: staying.port })
    await leaving.restart()
  }
  await until(() => fleet.every(({ restic }) => restic.runs('backup').length >= 4), undefined, {
    timeoutMs: 60_000,
  })
  replaced.abort()
  const jobIds = await Promise.all(load)

  for (const [at, host] of fleet.entries()) {
    const ran = jobsThatRan(host.restic.runs('backup'))
    expect(ran.toSorted()).toEqual(jobIds[at]?.toSorted())
    for (const jobId of jobIds[at] ?? []) expect(await statusOf(first, jobId)).toBe('succeeded')
  }
  await checkTogether(servers, fleet)
  const paths = await first.db.execute(`select status from watch.moves group by status order by status`)
  expect(paths.map(row => row['status'])).toEqual(['accepted', 'queued', 'running', 'succeeded'])
  const heard = changes
  const last = fleet[0]
  if (last !== undefined) await second.api.jobs.run.mutate(last.wish())
  await until(() => changes > heard)
  page.unsubscribe()
  for (const server of servers) expect(server.log()).not.toMatch(/took too long|nobody caught|unhandled/i)
})
