// The log of events of a host: what went wrong and was cleared, and for admins what people did to it.
import type { HostView } from '@restic-manager/contract/views'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type HostEvent, hostEvents } from '../host-events.ts'
import { useMay } from '../me.ts'
import { trpc } from '../trpc.ts'
import { Empty, Panel, SkeletonRows } from './panel.tsx'
import { QueryProblem } from './query-problem.tsx'
import { When } from './when.tsx'
import './host-events.css'

const MOST = 12

const Row = ({ event }: { event: HostEvent }) => (
  <li className="host-event">
    <span className="dim num">
      <When at={event.at} />
    </span>
    <span className={`host-event-word tone-${event.tone} cut`}>{event.word}</span>
    <span className="second break">
      {event.sentence}{' '}
      {event.jobId !== undefined && (
        <Link to="/jobs/$jobId" params={{ jobId: event.jobId }}>
          Open the job
        </Link>
      )}
    </span>
  </li>
)

/** The newest only; the rest is a link away. */
export function HostEvents({ host }: { host: HostView }) {
  const mayAudit = useMay('admin')
  const about = { hostId: host.id, limit: MOST }
  const alerts = useQuery(trpc.alerts.list.queryOptions({ ...about, which: 'all' }))
  const acts = useQuery(trpc.audit.list.queryOptions(about, { enabled: mayAudit }))
  const isRead = alerts.data !== undefined && (!mayAudit || acts.data !== undefined)
  const events = hostEvents(alerts.data?.rows ?? [], acts.data?.rows ?? [], MOST)
  return (
    <Panel
      title="Events"
      flush
      actions={
        mayAudit && (
          <Link to="/settings/audit" search={{ hostId: host.id }}>
            Audit log
          </Link>
        )
      }
    >
      <QueryProblem what="What went wrong" query={alerts} />
      {mayAudit && <QueryProblem what="What was done" query={acts} />}
      {!isRead && <SkeletonRows rows={4} />}
      {isRead && events.length === 0 && (
        <Empty title="Nothing happened yet.">What goes wrong, and when it was cleared, stands here.</Empty>
      )}
      {isRead && events.length > 0 && (
        <ol className="host-events">
          {events.map(event => (
            <Row key={event.id} event={event} />
          ))}
        </ol>
      )}
    </Panel>
  )
}
