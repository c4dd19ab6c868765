// How long each run took. Its library comes only where a chart is shown.
import { BarChart } from '@mantine/charts'
import '@mantine/charts/styles.layer.css'
import { formatDuration } from '../format.ts'

/** `runs` are the oldest first; `took` is in milliseconds. */
export default function DurationChart({
  runs,
  height,
}: {
  runs: { when: string; took: number }[]
  height: number
}) {
  return (
    <BarChart
      h={height}
      data={runs}
      dataKey="when"
      series={[{ name: 'took', label: 'Took', color: 'var(--accent-fill)' }]}
      gridAxis="x"
      tickLine="none"
      valueFormatter={formatDuration}
      yAxisProps={{ width: 72, tickCount: 4 }}
      xAxisProps={{ minTickGap: 32 }}
      barProps={{ isAnimationActive: false, radius: 1.5, maxBarSize: 18 }}
    />
  )
}
