// Sizes over time. Its library comes only where a chart is shown.
import { AreaChart } from '@mantine/charts'
import '@mantine/charts/styles.layer.css'
import { formatBytes } from '../format.ts'

const dayWords = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })

/** `points` are UTC days, oldest first; sizes are bytes. */
export default function SizeChart({
  points,
  height = 200,
}: {
  points: { day: string; sizeBytes: number }[]
  height?: number
}) {
  const data = points.map(({ day, sizeBytes }) => ({
    day: dayWords.format(new Date(`${day}T00:00:00Z`)),
    size: sizeBytes,
  }))
  return (
    <AreaChart
      h={height}
      data={data}
      dataKey="day"
      series={[{ name: 'size', label: 'Size', color: 'var(--accent-fill)' }]}
      curveType="monotone"
      withDots={false}
      withGradient={false}
      fillOpacity={0.14}
      strokeWidth={1.75}
      gridAxis="x"
      tickLine="none"
      valueFormatter={formatBytes}
      yAxisProps={{ width: 64, tickCount: 4, domain: ['auto', 'auto'] }}
      xAxisProps={{ minTickGap: 48 }}
      areaProps={{ isAnimationActive: false }}
    />
  )
}
