// Midnight: the schedules of a whole fleet fire in one second. How long until everything has run and is told, and whether anything was lost.
import { nothingLost, runOwn, type FleetBenchOptions, type FleetFigure } from './reconnect-storm.ts'
import { slotToStart } from './simulator/fleet-books.ts'

/** After five minutes a host would call a slot late, and after this one it would have begun alone. */
const goalSeconds = 60

/** Plans a backup of each host in one minute, and waits until the last fact about them is told. */
export async function benchMidnight(options: FleetBenchOptions): Promise<FleetFigure[]> {
  const report = await runOwn({ ...options, scenario: 'midnight' })
  const started = (report.waits[slotToStart]?.most ?? Number.NaN) / 1_000
  return [
    {
      ...{ name: 'midnight last start', unit: 's', ours: started, goal: goalSeconds },
      ok: started <= goalSeconds,
    },
    nothingLost('midnight', report),
  ]
}
