// While the server's database does not answer: since when what is on the page is old.
import { formatClock } from '../format.ts'
import { useLink } from '../link.ts'
import { useZone } from '../time-zone.ts'
import { Notice } from './notice.tsx'

/** Nothing while the database answers. It goes by itself: the page reads everything again then. */
export function DatabaseNotice() {
  const { silentSince } = useLink()
  const zone = useZone()
  if (silentSince === undefined) return null
  return (
    <Notice
      tone="warn"
      title={
        <>
          Data as of <span className="num">{formatClock(silentSince, zone)}</span>: the database does not
          answer.
        </>
      }
    >
      Nothing can be changed here until it does. Hosts go on with their backups and report them afterwards.
    </Notice>
  )
}
