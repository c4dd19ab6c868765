// Thirty days of backups: a column a day, what went wrong on top of what went well.
import type { BackupDay } from '@restic-manager/contract/days'
import { useElementSize } from '@mantine/hooks'
import { useId } from 'react'
import { columnOf, dueOf, failedOf, type Part, stripInWords } from '../fleet-strip.ts'
import { formatCount } from '../format.ts'
import { Panel } from './panel.tsx'
import './fleet-strip.css'

const HEIGHT = 150
const TOP = 18
const BOTTOM = 20
const GAP = 4

const dayWords = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })
const wordOf = (day: string) => dayWords.format(new Date(`${day}T00:00:00Z`))

function Mark({ part, x, width, hatch }: { part: Part; x: number; width: number; hatch: string }) {
  const { look, y, height } = part
  switch (look) {
    case 'good':
      return <rect x={x} y={y} width={width} height={height} rx={1.5} className="strip-good" />
    case 'warn':
      return <rect x={x} y={y} width={width} height={height} rx={1.5} fill={`url(#${hatch})`} />
    case 'missed':
      return (
        <rect
          x={x + 0.75}
          y={y + 0.75}
          width={Math.max(1, width - 1.5)}
          height={height - 1.5}
          rx={1.5}
          className="strip-missed"
        />
      )
    case 'bad': {
      const half = (width - 2) / 2
      return (
        <g className="strip-bad">
          <rect x={x} y={y} width={half} height={height} rx={1} />
          <rect x={x + half + 2} y={y} width={half} height={height} rx={1} />
        </g>
      )
    }
  }
}

function Columns({ days, width }: { days: BackupDay[]; width: number }) {
  const hatch = useId()
  const most = Math.max(1, ...days.map(dueOf))
  const step = width / days.length
  const bar = Math.max(2, Math.min(28, step - GAP))
  const room = HEIGHT - TOP - BOTTOM
  const every = step < 14 ? 10 : 7
  return (
    <svg width={width} height={HEIGHT} role="img" aria-label={stripInWords(days)}>
      <defs>
        <pattern id={hatch} width={6} height={6} patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect width={6} height={6} className="strip-hatch-ground" />
          <rect width={3.5} height={6} className="strip-hatch" />
        </pattern>
      </defs>
      {days.map((day, index) => {
        const x = index * step + (step - bar) / 2
        const parts = columnOf(day, most, room)
        const top = parts.at(-1)?.y ?? room
        const failed = failedOf(day)
        const label = (days.length - 1 - index) % every === 0
        return (
          <g key={day.day}>
            <title>{`${wordOf(day.day)}: ${stripInWords([day]).split(': ')[1] ?? ''}`}</title>
            <rect x={index * step} y={0} width={step} height={HEIGHT - BOTTOM} fill="transparent" />
            {parts.length === 0 && (
              <circle cx={x + bar / 2} cy={TOP + room - 2} r={1.5} className="strip-dot" />
            )}
            <g transform={`translate(0 ${TOP})`}>
              {parts.map(part => (
                <Mark key={part.look} part={part} x={x} width={bar} hatch={hatch} />
              ))}
            </g>
            {failed > 0 && step >= 12 && (
              <text x={x + bar / 2} y={TOP + top - 4} className="strip-failed" textAnchor="middle">
                {failed > 999 ? `${Math.round(failed / 1_000)}k` : failed}
              </text>
            )}
            {label && (
              <text
                x={index === days.length - 1 ? width : x + bar / 2}
                y={HEIGHT - 4}
                className="strip-text"
                textAnchor={index === days.length - 1 ? 'end' : 'middle'}
              >
                {index === days.length - 1 ? 'today' : wordOf(day.day)}
              </text>
            )}
          </g>
        )
      })}
    </svg>
  )
}

const legend = [
  ['good', 'succeeded'],
  ['warn', 'incomplete'],
  ['missed', 'missed'],
  ['bad', 'failed'],
] as const

/** Days are UTC days, today last. */
export function FleetStrip({ days }: { days: BackupDay[] }) {
  const { ref, width } = useElementSize()
  const total = days.reduce((sum, day) => sum + dueOf(day), 0)
  return (
    <Panel
      title="Backups, last 30 days"
      count={formatCount(total)}
      actions={<span className="dim strip-note">number = failed that day</span>}
      foot={
        <ul className="row row-wrap">
          {legend.map(([look, word]) => (
            <li key={look} className="legend-entry">
              <span className={`legend-mark mark-${look}`} aria-hidden />
              {word}
            </li>
          ))}
        </ul>
      }
    >
      <div ref={ref} style={{ height: HEIGHT }} className="strip">
        {width > 0 && <Columns days={days} width={width} />}
      </div>
    </Panel>
  )
}
