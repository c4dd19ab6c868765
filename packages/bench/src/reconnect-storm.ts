// A fleet whose server was killed and comes back: how much work that is, how long until all are in again, and whether anything was lost.
import { build } from '../../../scripts/processes.ts'
import { machine } from './measure/figure.ts'
import { openOwnGround } from './scenario/own-ground.ts'
import { isWell, type FleetReport } from './scenario/report.ts'
import { runScenario, type ScenarioOptions } from './scenario/run-scenario.ts'

export type FleetBenchOptions = Pick<ScenarioOptions, 'agents' | 'outageSeconds' | 'oneAddress'> & {
  replicas: number
  profileDir: string | undefined
}

/** `ours` and `goal` in `unit`; more in the report. */
export type FleetFigure = {
  name: string
  unit: string
  ours: number
  goal: number
  ok: boolean
  report?: FleetReport
  machine?: ReturnType<typeof machine>
}

/** Seconds until everybody is in again, of a fleet of this size or less. */
const goalSeconds = ({ agents }: FleetReport) => 90 * Math.max(1, agents / 5_000)
/** Seconds of server CPU for a return with nothing to tell. */
const goalWork = ({ agents }: FleetReport) => (5 * agents) / 10_000

/** Builds what has changed, then runs both storms: the one with nothing to tell, and the one with a backup each. */
export async function benchReconnectStorm(options: FleetBenchOptions): Promise<FleetFigure[]> {
  const report = await runOwn({ ...options, scenario: 'storm' })
  const secondsOf = (part: string) => report.seconds[`${part}: until all were shown as online`] ?? Number.NaN
  const work = report.costs['back with nothing to tell']?.serverCpuSeconds ?? Number.NaN
  const figure = (name: string, ours: number, goal: number): FleetFigure => ({
    ...{ name: `reconnect-storm ${name}`, unit: 's', ours, goal, ok: ours <= goal },
  })
  return [
    figure('server work, nothing to tell', work, goalWork(report)),
    figure('all online, nothing to tell', secondsOf('back with nothing to tell'), goalSeconds(report)),
    figure(
      'all online, a backup each to tell',
      secondsOf('back with a backup each to tell'),
      goalSeconds(report),
    ),
    nothingLost('reconnect-storm', report),
  ]
}

/** The figure that carries the whole report. */
export function nothingLost(name: string, report: FleetReport): FleetFigure {
  const ours = (report.facts.lost ?? Number.NaN) + report.facts.refused + (report.broken?.length ?? 0)
  return {
    ...{ name: `${name} facts lost or promises broken`, unit: '', ours, goal: 0, ok: isWell(report) },
    ...{ report, machine: machine() },
  }
}

/** Runs a scenario on servers of its own. */
export async function runOwn({
  replicas,
  profileDir,
  ...options
}: FleetBenchOptions & Pick<ScenarioOptions, 'scenario'>): Promise<FleetReport> {
  await build()
  // Its database would go on without it.
  const stopped = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => stopped.abort(new Error('stopped')))
  await using ground = await openOwnGround(replicas, profileDir)
  return await runScenario(ground, {
    ...{ ...options, minutes: 1, lines: undefined, signal: stopped.signal },
    note: sentence => void process.stderr.write(`${sentence}\n`),
  })
}
