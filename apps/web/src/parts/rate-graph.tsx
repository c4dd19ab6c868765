// What was read per second, as seen while this page was open. A break in the line is a break in what was heard.
import { useElementSize } from '@mantine/hooks'
import { formatClock, formatRate } from '../format.ts'
import type { RateSample } from '../job-live.ts'
import { rateScale } from '../rate-scale.ts'
import { useZone } from '../time-zone.ts'
import './rate-graph.css'

const HEIGHT = 200
const LEFT = 36
const RIGHT = 8
const TOP = 10
const BOTTOM = 22
/** Two samples further apart than this are not joined. */
const BREAK = 10_000
const SHORTEST = 60_000

type Point = { x: number; y: number }

/** Samples as runs without a break. */
function runsOf(samples: RateSample[], place: (sample: RateSample) => Point): Point[][] {
  const runs: Point[][] = []
  let before: RateSample | undefined
  for (const sample of samples) {
    if (before === undefined || sample.at - before.at > BREAK) runs.push([])
    runs.at(-1)?.push(place(sample))
    before = sample
  }
  return runs
}

const pathOf = (run: Point[]) =>
  run.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('')

/** Takes the width it gets and keeps its height, so nothing jumps. */
export function RateGraph({ samples }: { samples: RateSample[] }) {
  const { ref, width } = useElementSize()
  const zone = useZone()
  const last = samples.at(-1)
  const first = samples[0]
  const drawn = last !== undefined && first !== undefined && samples.length > 1 && width > 0
  return (
    <div ref={ref} className="rate-graph" style={{ height: HEIGHT }}>
      {drawn ? (
        <Drawing samples={samples} first={first} last={last} width={width} zone={zone} />
      ) : (
        <p className="dim rate-waiting">The graph draws itself while you watch.</p>
      )}
    </div>
  )
}

function Drawing({
  samples,
  first,
  last,
  width,
  zone,
}: {
  samples: RateSample[]
  first: RateSample
  last: RateSample
  width: number
  zone: string | undefined
}) {
  const from = Math.min(first.at, last.at - SHORTEST)
  const { top, steps, per } = rateScale(Math.max(...samples.map(sample => sample.rate)))
  const across = width - LEFT - RIGHT
  const down = HEIGHT - TOP - BOTTOM
  const place = ({ at, rate }: RateSample): Point => ({
    x: LEFT + ((at - from) / (last.at - from)) * across,
    y: TOP + down - (rate / top) * down,
  })
  const base = TOP + down
  const runs = runsOf(samples, place)
  const end = place(last)
  const ticks = Array.from(
    { length: width < 480 ? 3 : 5 },
    (_, index, all = width < 480 ? 3 : 5) => index / (all - 1),
  )
  return (
    <svg width={width} height={HEIGHT} role="img" aria-label={`Read rate, now ${formatRate(last.rate)}`}>
      {steps.map(step => {
        const y = TOP + down - ((step * per) / top) * down
        return (
          <g key={step}>
            <line x1={LEFT} x2={width - RIGHT} y1={y} y2={y} className="rate-line" />
            <text x={LEFT - 8} y={y + 4} className="rate-text" textAnchor="end">
              {Number(step.toFixed(2))}
            </text>
          </g>
        )
      })}
      {ticks.map(share => (
        <text
          key={share}
          x={LEFT + share * across}
          y={HEIGHT - 5}
          className="rate-text"
          textAnchor={share === 0 ? 'start' : share === 1 ? 'end' : 'middle'}
        >
          {formatClock(from + share * (last.at - from), zone, last.at - from < 10 * 60_000)}
        </text>
      ))}
      {runs.map(run => (
        <g key={run[0]?.x}>
          <path
            d={`${pathOf(run)}L${run.at(-1)?.x ?? 0} ${base}L${run[0]?.x ?? 0} ${base}Z`}
            className="rate-area"
          />
          <path d={pathOf(run)} className="rate-path" />
        </g>
      ))}
      <circle cx={end.x} cy={end.y} r={3.5} className="rate-dot" />
    </svg>
  )
}
