// What is wrong with the records of a host: a disk that is full, facts the server refused, a spool that was lost.
import type { HostView } from '@restic-manager/contract/views'
import type { ReactNode } from 'react'
import { useNow } from '../clock.ts'
import { countOf } from '../format.ts'
import { Notice } from './notice.tsx'
import { When } from './when.tsx'

/** A spool that was lost this long ago would hold nothing of it any more. */
const tellsOfLossMs = 14 * 24 * 3_600_000

/** At most one notice, the worst first; it stands beside whatever else is wrong with the host. */
export function HostSpoolNotice({ host }: { host: HostView }): ReactNode {
  const now = useNow(60_000)
  const { full, setAside, resetAt } = host.spool
  if (full && host.online) {
    return (
      <Notice tone="bad" title="The disk that holds this host’s records is full.">
        What runs goes on, and how it ends is kept in room held back for that. Parts of logs are lost, and new
        jobs may be turned down. Make room on the host; nothing else needs to be done.
      </Notice>
    )
  }
  if (setAside !== null) {
    const { count, name, at, why } = setAside
    return (
      <Notice
        tone="warn"
        title={`${countOf(count, 'record')} of this host could not be taken in, so what is shown here may lack something.`}
      >
        The newest is <code className="mono">{name}</code> of <When at={new Date(at)} />: {why} They are kept
        on the host, where <code className="mono">agent status</code> lists them. An agent newer than its
        server is the usual cause.
      </Notice>
    )
  }
  if (resetAt !== null && now - resetAt.getTime() < tellsOfLossMs) {
    return (
      <Notice
        tone="warn"
        title={
          <>
            The records of this host were damaged and begun anew <When at={resetAt} />.
          </>
        }
      >
        Jobs that ended shortly before that may be missing here, or shown as lost. The damaged file is kept on
        the host. Check the disk it lies on.
      </Notice>
    )
  }
  return null
}
