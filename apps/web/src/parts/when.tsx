// Instants and ages: short in place, exact on hover, in the zone the operator chose.
import { useNow } from '../clock.ts'
import { formatAge, formatAgo, formatExact, formatWhen } from '../format.ts'
import { useZone } from '../time-zone.ts'

type At = { at: Date | null | undefined; none?: string }

/** How long ago: "5 min ago". */
export function Ago({ at, none = 'never' }: At) {
  const now = useNow()
  const zone = useZone()
  if (at == null) return none
  return (
    <time dateTime={at.toISOString()} title={formatExact(at, zone)} className="num">
      {formatAgo(now - at.getTime())}
    </time>
  )
}

/** How far ahead: "in 2 h 38 m"; "now" once it has come. */
export function Ahead({ at, none = '–' }: At) {
  const now = useNow()
  const zone = useZone()
  if (at == null) return none
  const left = at.getTime() - now
  return (
    <time dateTime={at.toISOString()} title={formatExact(at, zone)} className="num">
      {left <= 0 ? 'now' : `in ${formatAge(left)}`}
    </time>
  )
}

/** How old: "7 h 06 m". */
export function Age({ at, none = 'never' }: At) {
  const now = useNow()
  const zone = useZone()
  if (at == null) return none
  return (
    <time dateTime={at.toISOString()} title={formatExact(at, zone)} className="num">
      {formatAge(now - at.getTime())}
    </time>
  )
}

/** The instant itself: "today 06:20". */
export function When({ at, none = '–' }: At) {
  const now = useNow(60_000)
  const zone = useZone()
  if (at == null) return none
  return (
    <time dateTime={at.toISOString()} title={formatExact(at, zone)} className="num">
      {formatWhen(at, now, zone)}
    </time>
  )
}
