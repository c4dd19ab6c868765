// What is planned for the next 24 hours, hour by hour.
import type { LoadHour, Overview } from '@restic-manager/contract/overview'
import { useElementSize } from '@mantine/hooks'
import { useId } from 'react'
import { countOf, formatClock, formatCount } from '../format.ts'
import { useZone } from '../time-zone.ts'
import { Panel } from './panel.tsx'
import './fleet-strip.css'

const HEIGHT = 150
const TOP = 12
const BOTTOM = 20
const RIGHT = 34
const HOUR = 3_600_000

/** A round number at or above `most`, and the steps below it. */
function stepsTo(most: number): number[] {
  const magnitude = 10 ** Math.floor(Math.log10(Math.max(1, most / 3)))
  const step = [1, 2, 5, 10].map(factor => factor * magnitude).find(size => size * 3 >= most) ?? magnitude
  return [1, 2, 3].map(index => index * step)
}

const sumOf = ({ backups, maintenance }: LoadHour) => backups + maintenance

function Bars({ hours, width, zone }: { hours: LoadHour[]; width: number; zone: string | undefined }) {
  const stripes = useId()
  const steps = stepsTo(Math.max(1, ...hours.map(sumOf)))
  const top = steps.at(-1) ?? 1
  const room = HEIGHT - TOP - BOTTOM
  const step = (width - RIGHT) / hours.length
  const bar = Math.max(3, step - 5)
  const every = width < 420 ? 6 : 4
  const heightOf = (count: number) => (count === 0 ? 0 : Math.max(2, (count / top) * room))
  const base = TOP + room
  return (
    <>
      <defs>
        <pattern id={stripes} width={4} height={4} patternUnits="userSpaceOnUse">
          <rect width={4} height={2} className="load-stripe" />
        </pattern>
      </defs>
      {[0, ...steps].map(value => {
        const y = base - (value / top) * room
        return (
          <g key={value}>
            <line x1={0} x2={width - RIGHT + 4} y1={y} y2={y} className="load-line" />
            {value > 0 && (
              <text x={width} y={y + 4} className="strip-text" textAnchor="end">
                {formatCount(value)}
              </text>
            )}
          </g>
        )
      })}
      {hours.map(({ from, backups, maintenance }, index) => {
        const x = index * step + (step - bar) / 2
        const [low, high] = [heightOf(backups), heightOf(maintenance)]
        const clock = formatClock(from, zone)
        return (
          <g key={from.getTime()}>
            <title>{`from ${clock}: ${countOf(backups, 'backup')}, ${formatCount(maintenance)} of maintenance`}</title>
            <rect x={index * step} y={0} width={step} height={base} fill="transparent" />
            <rect x={x} y={base - low} width={bar} height={low} rx={1.5} className="load-bar" />
            <rect x={x} y={base - low - high - 2} width={bar} height={high} fill={`url(#${stripes})`} />
            {index % every === every / 2 && (
              <text x={x + bar / 2} y={HEIGHT - 4} className="strip-text" textAnchor="middle">
                {clock}
              </text>
            )}
          </g>
        )
      })}
    </>
  )
}

/** Starts in an hour of the chosen zone; a slot counts once for each of its repositories. */
export function LoadChart({ load }: { load: Overview['load'] }) {
  const { ref, width } = useElementSize()
  const zone = useZone()
  const peak = load.hours.reduce<LoadHour | undefined>(
    (most, hour) => (most === undefined || sumOf(hour) > sumOf(most) ? hour : most),
    undefined,
  )
  const peakWords =
    peak === undefined || sumOf(peak) === 0
      ? 'nothing is planned'
      : `peak ${formatCount(sumOf(peak))} at ${formatClock(peak.from, zone)}–${formatClock(peak.from.getTime() + HOUR, zone)}`
  return (
    <Panel
      title="Next 24 hours"
      count={countOf(load.total, 'slot')}
      actions={<span className="dim num strip-note">{peakWords}</span>}
      foot={
        <ul className="row row-wrap">
          <li className="legend-entry">
            <span className="legend-mark mark-load" aria-hidden />
            backup
          </li>
          <li className="legend-entry">
            <span className="legend-mark mark-upkeep" aria-hidden />
            forget, prune, check
          </li>
        </ul>
      }
    >
      <div ref={ref} style={{ height: HEIGHT }} className="strip">
        {width > 0 && (
          <svg
            width={width}
            height={HEIGHT}
            role="img"
            aria-label={`${countOf(load.total, 'slot')} planned, ${peakWords}`}
          >
            <Bars hours={load.hours} width={width} zone={zone} />
          </svg>
        )}
      </div>
    </Panel>
  )
}
