// How old the last good backup is, against how old it may be.
import { useNow } from '../clock.ts'
import { formatAge } from '../format.ts'
import { Age } from './when.tsx'
import './age-cell.css'

/** Where the objective stands on the track. */
const TICK = 2 / 3

/** An objective in whole units: "24 h", "3 d". */
const objectiveInWords = (ms: number): string => {
  const hours = Math.round(ms / 3_600_000)
  return hours < 1
    ? `${Math.round(ms / 60_000)} m`
    : hours < 48
      ? `${hours} h`
      : `${Math.round(hours / 24)} d`
}

/** `objectiveMs` null: no backup is planned, so there is nothing to be late for. */
export function AgeCell({
  at,
  objectiveMs,
  late,
}: {
  at: Date | null
  objectiveMs: number | null
  late: boolean
}) {
  const now = useNow(60_000)
  if (objectiveMs === null) return at === null ? <span className="dim">never</span> : <Age at={at} />
  const age = at === null ? undefined : Math.max(0, now - at.getTime())
  const share = age === undefined ? (late ? 1 : 0) : Math.min(1, (age / objectiveMs) * TICK)
  return (
    <div
      className={`age-cell ${late ? 'age-late' : ''}`}
      title={age === undefined ? undefined : `${formatAge(age)} of ${objectiveInWords(objectiveMs)}`}
    >
      <div className="age-words num">
        <span className="age-now">{at === null ? 'never' : <Age at={at} />}</span>
        <span className="dim age-of">of {objectiveInWords(objectiveMs)}</span>
      </div>
      <div className="age-track" aria-hidden>
        <span style={{ width: `${share * 100}%` }} />
      </div>
    </div>
  )
}
