// Whether a schedule takes longer than it used to: its last runs, side by side.
import type { Id } from '@restic-manager/contract/ids'
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense } from 'react'
import { useNow } from '../clock.ts'
import { countOf, formatDuration, formatWhen } from '../format.ts'
import { useZone } from '../time-zone.ts'
import { trpc } from '../trpc.ts'
import { Panel } from './panel.tsx'
import './fleet-strip.css'

const DurationChart = lazy(() => import('./duration-chart.tsx'))
const HEIGHT = 160
const RUNS = 40

const middleOf = (numbers: number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0

/** Runs that ended with a result. Nothing before there are two to compare. */
export function DurationTrend({ scheduleId }: { scheduleId: Id }) {
  const now = useNow(60_000)
  const zone = useZone()
  const jobs = useQuery(
    trpc.jobs.list.queryOptions({ scheduleId, limit: RUNS, statuses: ['succeeded', 'incomplete'] }),
  ).data
  const runs = (jobs?.rows ?? [])
    .flatMap(({ startedAt, finishedAt }) =>
      startedAt === null || finishedAt === null
        ? []
        : [{ when: formatWhen(startedAt, now, zone), took: finishedAt.getTime() - startedAt.getTime() }],
    )
    .toReversed()
  const last = runs.at(-1)
  if (last === undefined || runs.length < 2) return null
  const usual = middleOf(runs.map(({ took }) => took))
  const words = `last ${formatDuration(last.took)}, usually ${formatDuration(usual)}`
  return (
    <Panel
      title="How long it takes"
      count={countOf(runs.length, 'run')}
      actions={<span className="dim num strip-note">{words}</span>}
    >
      <div
        style={{ height: HEIGHT }}
        role="img"
        aria-label={`Of the last ${countOf(runs.length, 'run')}: ${words}`}
      >
        <Suspense>
          <DurationChart runs={runs} height={HEIGHT} />
        </Suspense>
      </div>
    </Panel>
  )
}
