// Days of a host as a row of marks, oldest left. Shapes tell them apart as well as colours.
import type { BackupDay } from '@restic-manager/contract/days'
import { dayInWords, type DayMark, daysInWords, markOf } from '../day-mark.ts'
import './day-strip.css'

const WIDTH = 5
const STEP = 7
const HEIGHT = 20

function Mark({ mark, x }: { mark: DayMark; x: number }) {
  switch (mark) {
    case 'good':
      return <rect x={x} y={0} width={WIDTH} height={HEIGHT} rx={1.5} className="day-good" />
    case 'warn':
      return (
        <g className="day-warn">
          <rect x={x} y={0} width={WIDTH} height={HEIGHT} rx={1.5} className="day-warn-ground" />
          <path
            d={[4, 9, 14, 19].map(y => `M${x} ${y}L${x + WIDTH} ${y - 4}`).join('')}
            className="day-warn-lines"
          />
        </g>
      )
    case 'bad':
      return (
        <g className="day-bad">
          <rect x={x} y={0} width={WIDTH} height={8} rx={1} />
          <rect x={x} y={12} width={WIDTH} height={8} rx={1} />
        </g>
      )
    case 'lost':
    case 'missed':
      return (
        <rect
          x={x + 0.6}
          y={0.6}
          width={WIDTH - 1.2}
          height={HEIGHT - 1.2}
          rx={1}
          className={`day-${mark}`}
        />
      )
    case 'skipped':
      return <rect x={x} y={HEIGHT - 6} width={WIDTH} height={6} rx={1} className="day-idle" />
    case 'none':
      return <circle cx={x + WIDTH / 2} cy={HEIGHT - 1.5} r={1} className="day-idle" />
  }
}

/** What each day was stands in its title, and the sum in the strip's name. */
export function DayStrip({ days }: { days: readonly BackupDay[] }) {
  return (
    <svg
      width={days.length * STEP - (STEP - WIDTH)}
      height={HEIGHT}
      role="img"
      aria-label={daysInWords(days)}
      className="day-strip"
    >
      {days.map((day, index) => (
        <g key={day.day}>
          <title>{dayInWords(day)}</title>
          <rect x={index * STEP - 1} y={0} width={STEP} height={HEIGHT} fill="transparent" />
          <Mark mark={markOf(day)} x={index * STEP} />
        </g>
      ))}
    </svg>
  )
}
