// One scenario from its first host to its report.
import type { Timing } from '@restic-manager/contract/timing'
import { rounded } from '../measure/figure.ts'
import { startFleet } from '../simulator/fleet.ts'
import type { Ground } from './ground.ts'
import { giveRepositories, settle, type Place } from './population.ts'
import { costBetween, reportOf, spreadOf, type CostLook, type FleetReport } from './report.ts'
import { scenarios, type Scenario, type ScenarioName } from './scenarios.ts'
import { countWrong, judgeFleet } from './verdict.ts'
import { watchFleet } from './watch.ts'

export type ScenarioOptions = {
  scenario: ScenarioName
  agents: number
  minutes: number
  outageSeconds: number
  /** Lines of log of a job at most; undefined: as the scenario has it. */
  lines: number | undefined
  /** All come from one address, as through NAT; otherwise each has one of its own where the system has enough of them. */
  oneAddress: boolean
  /** Other periods of the agents than the usual ones, for who has no time. */
  timing?: Partial<Timing>
  note: (sentence: string) => void
  signal: AbortSignal
}

/** Runs it and answers what happened. Ends with what it started when `signal` aborts. */
export async function runScenario(ground: Ground, options: ScenarioOptions): Promise<FleetReport> {
  const { agents, minutes, outageSeconds, lines, oneAddress, timing = {}, note, signal } = options
  const scenario: Scenario = scenarios[options.scenario]
  const since = new Date()
  await using fleet = startFleet(agents)
  const watch = watchFleet(fleet, { note, signal })
  const look = async (): Promise<CostLook> => ({
    ...{ at: Date.now(), agentsCpuSeconds: fleet.cpuSeconds(), cost: await ground.cost() },
  })
  const empty = await look()
  const behaviour = { ...scenario.behaviour, ...(lines === undefined ? {} : { logLines: lines }) }
  await settle({ ground, fleet, watch, behaviour, timing, oneAddress })
  const settled = await look()
  note(`all ${agents} are in`)
  const hostIds = (await fleet.tell()).hosts.map(({ hostId }) => hostId)
  const places: Place[] = []
  if (ground.api !== undefined) {
    const repositoryIds = await giveRepositories(ground.api, hostIds)
    places.push(...repositoryIds.map((repositoryId, at) => ({ repositoryId, hostId: hostIds[at] ?? '' })))
    note(`each has one of ${new Set(repositoryIds).size} repositories`)
  }

  const costs: FleetReport['costs'] = {}
  let before = await look()
  const begin = async () => {
    await ground.own?.beginProfile()
    before = await look()
  }
  const end = async (name: string) => {
    const emptyBytes = empty.cost?.residentBytes ?? 0
    const cost = costBetween(before, await look(), { agents, emptyBytes })
    await ground.own?.writeProfile(name)
    if (cost === undefined) return
    costs[name] = cost
    note(`${name}, in ${cost.seconds} s: ${cost.serverCpuSeconds} s of server CPU`)
  }
  const stage = { ground, fleet, watch, places, minutes, outageSeconds, begin, end }
  const course = await scenario.play(stage)
  const [standing, books] = [await fleet.look(), await fleet.tell()]
  note('looking whether anything was lost')
  const wrong = ground.api === undefined ? undefined : await countWrong(ground.api, books.hosts)
  const violations =
    ground.own === undefined ? undefined : await judgeFleet(ground.own, fleet, { since, signal })
  const back = books.hosts.map(({ inAt }) => inAt - before.at).filter(ms => ms > 0)
  const report = reportOf({
    ...{ scenario: options.scenario, servers: ground.urls.length, standing, books, wrong, violations },
    seconds: { 'enrolling all': rounded((settled.at - empty.at) / 1_000), ...course },
    costs,
  })
  return back.length < agents
    ? report
    : { ...report, waits: { ...report.waits, 'until in again': spreadOf(back) } }
}
