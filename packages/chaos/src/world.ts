// The world of a run: PostgreSQL, two servers behind one address, real agents, simulated agents, each host behind a link of its own.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { startSimulatedAgent } from '@restic-manager/bench/simulator/agent'
import type { SimulatedAgent, SimulatedBehaviour } from '@restic-manager/bench/simulator/agent-options'
import { newId } from '@restic-manager/contract/ids'
import type { Timing } from '@restic-manager/contract/timing'
import { startTcpProxy, type TcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { until } from '@restic-manager/testkit/until'
import postgres from 'postgres'
import { startBalancer } from '@restic-manager/bench/simulator/balancer'
import { chanceOf } from './chance.ts'
import { watchDatabase } from '@restic-manager/bench/checker/watch'
import type { Entries } from './copy-programs.ts'
import type { Secret } from '@restic-manager/bench/checker/evidence'
import { connectOperator, makeOperator, type Api } from './operator.ts'
import { startPostgres, type ChaosPostgres } from './postgres.ts'
import { makeProgram, type Program } from './program.ts'
import { startRealHost, type RealHost } from './real-host.ts'

export type ChaosServer = Program & { readonly port: number; readonly api: Api }
export type SimulatedHost = { readonly agent: SimulatedAgent; readonly link: TcpProxy }
/** Where a job can be ordered. */
export type Place = { hostId: string; repositoryId: string }

export type ChaosWorld = {
  readonly folder: string
  readonly postgres: ChaosPostgres
  readonly servers: readonly ChaosServer[]
  readonly hosts: readonly RealHost[]
  readonly simulated: readonly SimulatedHost[]
  /** Through the balancer, as operators come. */
  readonly api: Api
  readonly places: readonly Place[]
  readonly secrets: readonly Secret[]
}

export type WorldOptions = {
  folder: string
  entries: Entries
  seed: number
  real: number
  simulated: number
  note: (sentence: string) => void
}

/** Periods in which a minute holds what is a day elsewhere. Both ends keep to the same. */
export const quickTiming = {
  ...{ heartbeat: 2_000, offlineAfter: 8_000, ping: 2_000, pong: 2_000, handshake: 4_000, answer: 4_000 },
  ...{ proceedAlone: 8_000, backoffBase: 100, backoffCap: 2_000, backoffReset: 5_000, cancelGrace: 3_000 },
  ...{ probeDeadline: 5_000, repositoryTrust: 60_000, lockWait: 4_000, lockRetry: 500, stalledAfter: 3_000 },
  ...{ hungAfter: 7_000, orderLinkDown: 5_000, orderWait: 15_000, late: 10_000, missedGrace: 5_000 },
  ...{ tick: 1_000, maintenanceWait: 8_000, staleLock: 15_000, diskRetry: 500, bearerLife: 10_000 },
  ...{ queuedLife: 45_000, poll: 2_000, lostAfter: 20_000 },
} as const satisfies Partial<Timing>

/** What simulated hosts do to their server without being told to. */
const harms: SimulatedBehaviour = {
  workMs: { least: 20, most: 2_500 },
  ...{
    failing: 0.08,
    incomplete: 0.08,
    logLines: 60,
    repeatsFacts: 0.08,
    repeatsBlocks: 0.1,
    swapsBlocks: 0.25,
  },
  ...{ firesTwice: 0.3, crashes: 0.01, speaksInOldSession: 0.5 },
}

/** Starts everything and waits until every host is there. What it started ends with `undo`. */
export async function openWorld(options: WorldOptions, undo: AsyncDisposableStack): Promise<ChaosWorld> {
  const { folder, entries, seed, note } = options
  const chance = chanceOf(seed).branch('world')
  note('starting PostgreSQL and two servers')
  const database = undo.use(await startPostgres(path.join(folder, 'postgres')))
  const balancer = undo.use(await startBalancer(chance.branch('balancer').fraction))
  const url = `http://127.0.0.1:${balancer.port}`
  const keyFile = path.join(folder, 'secret.key')
  await writeFile(keyFile, randomBytes(32), { mode: 0o600 })
  const env = {
    ...{ HOST: '127.0.0.1', DATABASE_URL: database.url, RM_SECRET_KEY_FILE: keyFile, RM_LOG_LEVEL: 'info' },
    ...{
      RM_PUBLIC_URL: url,
      RM_PAGE_DIR: path.join(folder, 'no-page'),
      RM_TIMING: JSON.stringify(quickTiming),
    },
  }
  const made = await Promise.all(
    ['server-1', 'server-2'].map(name => makeServer(name, { entry: entries.server, folder, env })),
  )
  for (const { program } of made)
    undo.defer(async () => {
      program.thaw()
      await program.stop(20_000)
    })
  // Both at once: one of them migrates.
  await Promise.all(made.map(({ program }) => program.start()))
  balancer.lead(made.map(({ port }) => port))
  await watch(database.url)

  const adminEnv = { ...env, RM_DATA_DIR: path.join(folder, 'server-1') }
  const { operator, secrets } = await makeOperator(entries.admin, adminEnv, folder)
  const api = connectOperator(url, operator)
  const { token } = await api.enrolments.create.mutate({ requestId: newId(), maxUses: 1_000 })
  secrets.push({ name: 'the enrolment token', value: token })

  note(`starting ${options.real} agents and ${options.simulated} simulated ones`)
  const hosts = await Promise.all(
    Array.from({ length: options.real }, (_, n) => {
      const name = `host-${n + 1}`
      const wish = { entry: entries.agent, name, folder, port: balancer.port, token, timing: quickTiming }
      return startRealHost({ ...wish, chance: chance.branch(name) }, undo)
    }),
  )
  const simulated: SimulatedHost[] = []
  for (let n = 1; n <= options.simulated; n += 1) {
    const link = undo.use(await startTcpProxy({ port: balancer.port }))
    const hostname = `simulated-${n}`
    const agent = await startSimulatedAgent({
      ...{ url: `http://127.0.0.1:${link.port}`, token, hostname, timing: quickTiming, behaviour: harms },
      random: chance.branch(hostname).fraction,
    })
    undo.defer(() => agent.stop())
    simulated.push({ agent, link })
  }

  const places = await makeRepositories(api, { folder, hosts, simulated, secrets })
  const all = options.real + options.simulated
  await until(
    async () => (await api.hosts.list.query({})).counts.online,
    online => online === all,
    { what: `all ${all} hosts to be online`, timeoutMs: 60_000, everyMs: 200 },
  )
  const servers = made.map(({ program, port }) =>
    Object.assign(program, { port, api: connectOperator(`http://127.0.0.1:${port}`, operator) }),
  )
  return { folder, postgres: database, servers, hosts, simulated, api, places, secrets }
}

type ServerOptions = { entry: string; folder: string; env: Record<string, string> }

async function makeServer(name: string, { entry, folder, env }: ServerOptions) {
  const port = await freePort()
  const program = makeProgram({
    name,
    argv: [entry],
    env: { ...env, PORT: String(port), RM_DATA_DIR: path.join(folder, name) },
    isReady: line => line.startsWith('ready '),
  })
  return { program, port }
}

async function watch(url: string) {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await watchDatabase(sql)
  await sql.end()
}

type Repositories = {
  folder: string
  hosts: readonly RealHost[]
  simulated: readonly SimulatedHost[]
  secrets: Secret[]
}

const simulatedOnOne = 4

/** One repository for each real host, and one for every few simulated ones, which then meet on it. */
async function makeRepositories(
  api: Api,
  { folder, hosts, simulated, secrets }: Repositories,
): Promise<Place[]> {
  const groups = hosts.map(({ hostId }) => [hostId])
  for (let n = 0; n < simulated.length; n += simulatedOnOne)
    groups.push(simulated.slice(n, n + simulatedOnOne).map(({ agent }) => agent.hostId))
  const places: Place[] = []
  for (const [n, hostIds] of groups.entries()) {
    const password = `canary-${randomBytes(12).toString('hex')}`
    secrets.push({ name: `the password of repository ${n}`, value: password })
    const { repositoryId } = await api.repositories.create.mutate({
      ...{ requestId: newId(), name: `repository-${n}`, url: path.join(folder, `repository-${n}`), password },
      ...{ hostIds, maintenanceHostId: hostIds[0], acceptsRisk: true },
    })
    places.push(...hostIds.map(hostId => ({ hostId, repositoryId })))
  }
  return places
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
