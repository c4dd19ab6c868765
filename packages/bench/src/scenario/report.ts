// What a scenario says at its end, in one object for machines and in sentences for people.
import type { Violation } from '../checker/evidence.ts'
import { rounded } from '../measure/figure.ts'
import type { FleetBooks, FleetStanding } from '../simulator/fleet-orders.ts'
import type { Cost } from './ground.ts'

/** Milliseconds. */
export type Spread = { count: number; p50: number; p95: number; p99: number; most: number }

export type FleetReport = {
  scenario: string
  agents: number
  servers: number
  /** Connected at the end, with everything heard. */
  in: number
  /** Seconds a part of the scenario took, by its name. */
  seconds: Record<string, number>
  jobs: { begun: number; ended: Record<string, number> }
  /** `lost`: not acked, or not in the server's records as their host told them. Undefined: nobody could look. */
  facts: { written: number; acked: number; refused: number; lost: number | undefined }
  logs: { jobs: number; blocks: number; lines: number; cutOff: number }
  waits: Record<string, Spread>
  dials: { all: number; most: number; turnedAway: number; failed: number }
  /** What the parts that were measured have cost, by their names. Empty: nobody says. */
  costs: Record<string, FleetCost>
  /** What the checker of the fault tests found in the database and the books; undefined: it could not look. */
  broken: { invariant: string; sentence: string; rows: number; first: unknown }[] | undefined
}

/** From the begin of what is measured until its end. `bytesPerAgent`: what servers take more than before the first host. */
export type FleetCost = {
  seconds: number
  serverCpuSeconds: number
  databaseCpuSeconds: number | undefined
  agentsCpuSeconds: number
  serverCpuMsPerAgent: number
  serverMegabytes: number
  serverPeakMegabytes: number | undefined
  kilobytesPerAgent: number
}

/** How wide a row of waits spreads. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), most: at(1) }
}

/** A look at what everything has cost so far. */
export type CostLook = { at: number; cost: Cost | undefined; agentsCpuSeconds: number }

/** What lies between two looks. `emptyBytes`: what servers took before the first host. */
export function costBetween(
  before: CostLook,
  after: CostLook,
  { agents, emptyBytes }: { agents: number; emptyBytes: number },
): FleetCost | undefined {
  if (before.cost === undefined || after.cost === undefined) return undefined
  const serverCpuSeconds = after.cost.serverCpuSeconds - before.cost.serverCpuSeconds
  const [was, is] = [before.cost.databaseCpuSeconds, after.cost.databaseCpuSeconds]
  const { residentBytes, peakBytes } = after.cost
  return {
    seconds: rounded((after.at - before.at) / 1_000),
    serverCpuSeconds: rounded(serverCpuSeconds),
    databaseCpuSeconds: was === undefined || is === undefined ? undefined : rounded(is - was),
    agentsCpuSeconds: rounded(after.agentsCpuSeconds - before.agentsCpuSeconds),
    serverCpuMsPerAgent: rounded((serverCpuSeconds * 1_000) / agents),
    serverMegabytes: rounded(residentBytes / 1e6),
    serverPeakMegabytes: peakBytes === undefined ? undefined : rounded(peakBytes / 1e6),
    kilobytesPerAgent: rounded((residentBytes - emptyBytes) / 1e3 / agents),
  }
}

export type ReportParts = Pick<FleetReport, 'scenario' | 'servers' | 'seconds' | 'costs'> & {
  standing: FleetStanding
  books: FleetBooks
  /** Hosts of whose last job or snapshots the server's lists say something else. */
  wrong: number | undefined
  violations: Violation[] | undefined
}

/** Puts a report together. */
export function reportOf({ standing, books, wrong, violations, ...named }: ReportParts): FleetReport {
  const { facts, acked, setAside } = books
  const untold = facts - acked - setAside
  const { jobs, blocks, lines, unsent } = books.logs
  return {
    ...named,
    ...{ agents: books.hosts.length, in: standing.in, jobs: { begun: books.jobs, ended: books.ended } },
    facts: {
      written: facts,
      acked,
      refused: setAside,
      lost: wrong === undefined ? undefined : untold + wrong,
    },
    logs: { jobs, blocks, lines, cutOff: unsent },
    waits: Object.fromEntries(Object.entries(books.waits).map(([name, each]) => [name, spreadOf(each)])),
    dials: {
      ...{ all: standing.dials, most: standing.mostDials },
      ...{ turnedAway: standing.turnedAway, failed: standing.failed },
    },
    broken: violations?.map(({ invariant, sentence, rows }) => ({
      ...{ invariant, sentence, rows: rows.length, first: rows[0] },
    })),
  }
}

/** Whether everybody is in and nothing is missing, as far as anybody could look. */
export const isWell = ({ agents, facts, logs, broken, ...report }: FleetReport): boolean =>
  report.in === agents &&
  facts.acked + facts.refused === facts.written &&
  facts.refused === 0 &&
  (facts.lost ?? 0) === 0 &&
  logs.cutOff === 0 &&
  (broken ?? []).length === 0

/** For people. */
export function tellReport(report: FleetReport): string {
  const { agents, servers, seconds, jobs, facts, logs, waits, dials, costs, broken } = report
  const ended = Object.entries(jobs.ended).map(([status, count]) => `${count} ${status}`)
  const unknown = 'nobody could look'
  return [
    `${report.scenario}: ${report.in} of ${agents} agents are in, on ${servers === 1 ? 'one server' : `${servers} servers`}`,
    ...Object.entries(seconds).map(([name, each]) => `  ${name}: ${each} s`),
    `jobs: ${jobs.begun} begun, ${ended.length === 0 ? 'none ended' : ended.join(', ')}`,
    `facts: ${facts.written} written down, ${facts.acked} acked, ${facts.refused} refused, ${facts.lost ?? unknown} lost`,
    `logs: ${logs.lines} lines in ${logs.blocks} blocks of ${logs.jobs} jobs, ${logs.cutOff} not whole`,
    `dials: ${dials.all}, ${dials.most} by the unluckiest, ${dials.turnedAway} told to come again, ${dials.failed} failed`,
    'waits in ms, middle, 95 %, 99 %, longest:',
    ...Object.entries(waits).map(
      ([name, { count, p50, p95, p99, most }]) => `  ${name} (${count}): ${p50}, ${p95}, ${p99}, ${most}`,
    ),
    ...(Object.keys(costs).length === 0
      ? ['what the server used: unknown; --metrics-token lets it say so']
      : Object.entries(costs).flatMap(tellCost)),
    ...(broken === undefined
      ? ['the records of the server were not checked: that takes its database']
      : broken.map(({ invariant, sentence, rows }) => `BROKEN ${invariant}: ${sentence} (${rows})`)),
    ...(broken?.length === 0 ? ['the checker read the database and all books: every promise was kept'] : []),
  ].join('\n')
}

function tellCost([name, cost]: [string, FleetCost]): string[] {
  const database = cost.databaseCpuSeconds === undefined ? '' : `, the database ${cost.databaseCpuSeconds} s`
  const peak = cost.serverPeakMegabytes === undefined ? '' : `, at most ${cost.serverPeakMegabytes} MB`
  return [
    `${name}, ${cost.seconds} s:`,
    `  CPU: the server ${cost.serverCpuSeconds} s (${cost.serverCpuMsPerAgent} ms an agent)${database}, the agents ${cost.agentsCpuSeconds} s`,
    `  memory of the server: ${cost.serverMegabytes} MB (${cost.kilobytesPerAgent} kB an agent)${peak}`,
  ]
}
