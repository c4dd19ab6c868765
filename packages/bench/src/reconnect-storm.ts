// A fleet whose server was killed and comes back: how long until all are in again, and whether anything was lost on the way.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '@restic-manager/contract/ids'
import type { Timing } from '@restic-manager/contract/timing'
import { until } from '@restic-manager/testkit/until'
import { makeOperator, type Api } from '../../../scripts/operator.ts'
import {
  build,
  makeThrowAway,
  removeThrowAway,
  startServerProgram,
  stopProgram,
} from '../../../scripts/processes.ts'
import { machine, rounded } from './measure/figure.ts'
import { cpuSeconds, peakBytes, treeCpuSeconds } from './measure/process-cost.ts'
import type { StormStanding } from './simulator/fleet-process.ts'
import { startStormFleet, type StormFleet } from './simulator/fleet.ts'

export type StormOptions = {
  agents: number
  /** How long the server is away at least. */
  outageSeconds: number
  /** All come from one address, as through NAT; otherwise each has one of its own, which only Linux has enough of. */
  oneAddress: boolean
  /** Other periods of the agents than the usual ones, for who has no time. */
  timing?: Partial<Timing>
  note: (sentence: string) => void
}

/** Seconds count from the moment the new server says that it is ready; CPU from there until the last fact was told. */
export type StormFigure = {
  name: 'reconnect-storm'
  agents: number
  /** Until every hello was answered, both subscriptions of every agent had spoken, and the server's list calls all of them online. */
  seconds: number
  goalSeconds: number
  ok: boolean
  serverCpuSeconds: number
  databaseCpuSeconds: number
  agentsCpuSeconds: number
  peakMegabytes: number
  /** How often an agent was told to come again, how often a dial failed without a word, and how many dials the unluckiest needed. */
  turnedAway: number
  failedDials: number
  dials: number
  mostDials: number
  outageSeconds: number
  factsTold: number
  factsToldSeconds: number
  factsRefused: number
  /** Facts without an ack, and backups that the server does not list as its agent ended them. */
  factsLost: number
  addresses: 'one' | 'one each'
  machine: ReturnType<typeof machine>
  versions: { 'restic-manager': string; node: string; postgresql: string }
}

const GOAL_SECONDS = 90
/** Nobody waits longer than this for a storm to end. */
const LONGEST_MS = 300_000
/** Uses of one token at most. */
const MOST_USES = 1_000
const HOSTS_OF_A_REPOSITORY = 25

/** Builds what has changed, then runs a storm. */
export async function benchReconnectStorm(options: Omit<StormOptions, 'note'>): Promise<StormFigure[]> {
  await build()
  return [await runStorm({ ...options, note: sentence => void process.stderr.write(`${sentence}\n`) })]
}

/** Runs one storm with the built server on its own PostgreSQL, all limits as they are shipped. */
export async function runStorm(options: StormOptions): Promise<StormFigure> {
  const { agents, outageSeconds, oneAddress, note } = options
  await using undo = new AsyncDisposableStack()
  const folder = await makeThrowAway('rm-storm-')
  undo.defer(() => removeThrowAway(folder))
  const dataDir = path.join(folder, 'server')
  const env = { RM_DATA_DIR: dataDir, DATABASE_URL: undefined, RM_LOG_LEVEL: 'warn' }

  let server = await startServerProgram({ ...env, PORT: '0' })
  undo.defer(async () => void (await stopProgram(server)))
  const { url } = server
  const { api } = await makeOperator({ url, env }, { email: 'storm@example.net', name: 'Storm', folder })
  const fleet = undo.use(startStormFleet(agents))
  const repositoryIds = await settle({ ...options, api, fleet, url })

  note('killing the server')
  server.child.kill('SIGKILL')
  await server.exited
  const downAt = performance.now()
  await fleet.work(repositoryIds)
  const { waitingFacts } = await until(fleet.look, ({ openJobs }) => openJobs === 0, { everyMs: 200 })
  note(`${waitingFacts} facts wait to be told`)
  await sleep(Math.max(0, downAt + outageSeconds * 1_000 - performance.now()))

  const agentsCpu = fleet.cpuSeconds()
  server = await startServerProgram({ ...env, PORT: new URL(url).port })
  const readyAt = Date.now()
  const outage = performance.now() - downAt
  const serverPid = server.child.pid ?? 0
  const databasePid = Number(
    (await readFile(path.join(dataDir, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0],
  )
  const before = { server: cpuSeconds(serverPid), database: treeCpuSeconds(databasePid) }
  note('the server is ready')

  const secondsSince = (moment: number) => rounded((moment - readyAt) / 1_000)
  await watchReturn(fleet, agents, note)
  await until(
    async () => (await api.hosts.list.query({})).counts.online,
    online => online === agents,
    { what: 'all hosts online in the list', timeoutMs: LONGEST_MS, everyMs: 250 },
  )
  const seconds = secondsSince(Date.now())
  await until(fleet.look, standing => standing.waitingFacts === 0, { timeoutMs: LONGEST_MS, everyMs: 250 })
  const factsToldSeconds = secondsSince(Date.now())
  const cost = {
    serverCpuSeconds: rounded(cpuSeconds(serverPid) - before.server),
    databaseCpuSeconds: rounded(treeCpuSeconds(databasePid) - before.database),
    agentsCpuSeconds: rounded(fleet.cpuSeconds() - agentsCpu),
    peakMegabytes: rounded(peakBytes(serverPid) / 1e6),
  }
  const { dials, mostDials, turnedAway, failed } = await fleet.look()
  const { facts, acked, setAside, jobs } = await fleet.tell()
  const factsLost = facts - acked - setAside + (await countMissing(api, jobs))
  return {
    ...{ name: 'reconnect-storm', agents, seconds, goalSeconds: GOAL_SECONDS },
    ok: seconds <= GOAL_SECONDS && factsLost === 0 && setAside === 0,
    ...cost,
    ...{ turnedAway, failedDials: failed, dials, mostDials, outageSeconds: rounded(outage / 1_000) },
    ...{ factsTold: facts, factsToldSeconds, factsRefused: setAside, factsLost },
    addresses: oneAddress ? 'one' : 'one each',
    machine: machine(),
    versions: await versionsOf(dataDir),
  }
}

type Settling = StormOptions & {
  api: Api
  fleet: StormFleet
  url: string
}

/** Enrols the fleet and gives each host a repository. Answers them in the order of the hosts, once nobody has anything left to say. */
async function settle({
  api,
  fleet,
  url,
  agents,
  oneAddress,
  timing = {},
  note,
}: Settling): Promise<string[]> {
  note(`enrolling ${agents} agents`)
  const tokens: string[] = []
  for (let left = agents; left > 0; left -= MOST_USES) {
    const wish = { requestId: newId(), maxUses: Math.min(MOST_USES, agents) }
    tokens.push((await api.enrolments.create.mutate(wish)).token)
  }
  // One address may make 12,000 calls in a minute, and who joins and comes in makes three.
  await fleet.join({ url, tokens, timing, eachFromItsOwn: !oneAddress, everyMs: oneAddress ? 20 : 0 })
  await watchReturn(fleet, agents, note)
  const hostIds = (await fleet.tell()).jobs.map(({ hostId }) => hostId)
  const repositoryIds: string[] = []
  for (let first = 0; first < agents; first += HOSTS_OF_A_REPOSITORY) {
    const group = hostIds.slice(first, first + HOSTS_OF_A_REPOSITORY)
    const { repositoryId } = await api.repositories.create.mutate({
      ...{ requestId: newId(), name: `storm-${first}`, url: `/srv/storm-${first}`, password: 'storm' },
      hostIds: group,
    })
    repositoryIds.push(...group.map(() => repositoryId))
  }
  return repositoryIds
}

async function watchReturn(fleet: StormFleet, agents: number, note: (sentence: string) => void) {
  let said = 0
  const say = (standing: StormStanding) => {
    if (Date.now() - said < 5_000) return
    said = Date.now()
    note(
      `${standing.in} are in, ${standing.turnedAway} times one was told to come again, ${standing.failed} dials failed`,
    )
  }
  await until(
    fleet.look,
    standing => {
      say(standing)
      return standing.in === agents
    },
    { what: 'all agents in', timeoutMs: LONGEST_MS, everyMs: 250 },
  )
}

/** How many of these backups the server does not have as the last one of their host, succeeded, with the one snapshot they made. */
async function countMissing(api: Api, jobs: readonly { hostId: string; jobId: string }[]): Promise<number> {
  const told = new Set<string>()
  let cursor: string | undefined
  do {
    const page = await api.hosts.list.query({ limit: 200, ...(cursor === undefined ? {} : { cursor }) })
    for (const { id, lastJob, snapshotCount } of page.rows)
      if (lastJob?.status === 'succeeded' && snapshotCount === 1) told.add(`${id} ${lastJob.id}`)
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  return jobs.filter(({ hostId, jobId }) => !told.has(`${hostId} ${jobId}`)).length
}

async function versionsOf(dataDir: string) {
  const { version } = JSON.parse(
    await readFile(path.join(import.meta.dirname, '../../../package.json'), 'utf8'),
  ) as { version: string }
  const postgresql = (await readFile(path.join(dataDir, 'postgres/PG_VERSION'), 'utf8')).trim()
  return { 'restic-manager': version, node: process.versions.node, postgresql }
}
