// The scene of a fault: a real server, a real agent in a process of its own, a restic that keeps a ledger, a link to cut.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startAgent, type AgentOptions, type TestAgent, type TestClock } from '@restic-manager/agent/testing'
import { newId } from '@restic-manager/contract/ids'
import { hasEnded } from '@restic-manager/contract/job-ended'
import type { JobStatus } from '@restic-manager/contract/job'
import type { JobView } from '@restic-manager/contract/views'
import type { Timing } from '@restic-manager/contract/timing'
import { startServer, type TestServer, type TestServerOptions } from '@restic-manager/server/testing'
import { fakeRestic, type FakeRestic } from '@restic-manager/testkit/fake-restic'
import type { FakeScript } from '@restic-manager/testkit/fake-restic-script'
import { startTcpProxy, type TcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { is, until } from '@restic-manager/testkit/until'
import { recordStatuses } from './invariants.ts'

/** Periods of an agent that dials again at once and starts nothing by itself. */
const quick = { backoffBase: 20, backoffCap: 200, proceedAlone: 600_000 } satisfies Partial<Timing>

export type SceneOptions = {
  /** What the fake restic does. */
  script?: FakeScript
  /** A real restic instead of the fake one. */
  restic?: string
  agentTiming?: Partial<Timing>
  /** The time the agent lives in. */
  clock?: TestClock
  /** Runs the server's own program, which can be killed and whose log can be read. Else it is one in this process, which costs far less. */
  serverProcess?: boolean
  /** Other periods of the server. */
  serverTiming?: Partial<Timing>
  serverEnv?: Record<string, string>
  /** A database that is not one of the run's. */
  beside?: TestServerOptions['beside']
}

type Wish = { hostId: string; repositoryId: string }

export type Scene = AsyncDisposable & {
  readonly folder: string
  readonly server: TestServer
  readonly agent: TestAgent
  readonly restic: FakeRestic
  /** What the agent dials through. The operator's calls go another way. */
  readonly link: TcpProxy
  readonly hostId: string
  /** A repository the host has access to. */
  readonly repositoryId: string
  createRepository(wish: { name: string; url: string; password?: string }): Promise<string>
  /** Asks for a job as an operator does, again and again with one request id until the server has answered. */
  run(
    kind: 'probe' | 'init' | 'backup' | 'unlock',
    on?: Partial<Wish> & { paths?: string[] },
  ): Promise<string>
  /** A job's status as the database has it: no call, so no limit on calls and no server needed. */
  statusOf(jobId: string): Promise<JobStatus>
  /** Waits for a status. */
  reaches(jobId: string, status: JobStatus): Promise<unknown>
  /** Waits until the job has ended and says how, as an operator sees it. */
  ending(jobId: string): Promise<JobView>
  isOnline(): Promise<boolean>
}

/** Sets everything up and waits until the host is there. Disposing of it stops every process and removes every file. */
export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  await using undo = new AsyncDisposableStack()
  const folder = await mkdtemp(path.join(tmpdir(), 'rm-fault-'))
  undo.defer(() => rm(folder, { recursive: true, force: true }))
  const restic = fakeRestic(path.join(folder, 'fake'), options.script)
  const server = undo.use(
    await startServer({
      process: options.serverProcess ?? false,
      timing: options.serverTiming ?? {},
      ...(options.serverProcess && { env: { RM_LOG_LEVEL: 'warn', ...options.serverEnv } }),
      ...(options.beside && { beside: options.beside }),
    }),
  )
  await recordStatuses(server.db)
  const link = undo.use(await startTcpProxy({ port: server.port }))
  const agentOptions: AgentOptions = {
    process: true,
    url: `http://127.0.0.1:${link.port}`,
    restic: options.restic ?? restic.path,
    timing: { ...quick, ...options.agentTiming },
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  }
  const agent = undo.use(await startAgent(server, agentOptions))
  const { hostId } = agent
  const { api, db } = server

  const isOnline = async () => {
    const [host] = await db.execute<{ online: boolean }>(`select online from hosts where id = '${hostId}'`)
    return host?.online === true
  }
  const statusOf = async (jobId: string) => {
    const [job] = await db.execute<{ status: JobStatus }>(`select status from jobs where id = '${jobId}'`)
    if (job === undefined) throw new Error(`there is no job ${jobId}`)
    return job.status
  }
  const createRepository: Scene['createRepository'] = async wish =>
    (await api.repositories.create.mutate({ requestId: newId(), hostIds: [hostId], ...wish })).repositoryId

  await until(isOnline, undefined, { what: 'the host to come online', timeoutMs: 60_000 })
  const repositoryId = await createRepository({ name: 'main', url: path.join(folder, 'repository') })

  const owned = undo.move()
  return {
    ...{ folder, server, agent, restic, link, hostId, repositoryId, createRepository, statusOf, isOnline },
    async run(kind, { paths = ['/etc/hostname'], ...on } = {}) {
      const wish = { requestId: newId(), hostId, repositoryId, ...on }
      const ask = () =>
        api.jobs.run.mutate(
          kind === 'backup' ? { ...wish, kind, spec: { paths } } : { ...wish, kind, spec: {} },
        )
      return (await until(ask, undefined, { what: `an answer to the wish for a ${kind}` })).jobId
    },
    reaches: (jobId, status) =>
      until(() => statusOf(jobId), is(status), { what: `${status} of job ${jobId}`, timeoutMs: 60_000 }),
    async ending(jobId) {
      await until(() => statusOf(jobId), hasEnded, {
        what: `the end of job ${jobId}`,
        timeoutMs: 90_000,
        everyMs: 50,
      })
      return until(() => api.jobs.get.query({ jobId }))
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
