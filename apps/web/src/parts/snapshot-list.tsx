// The newest restore points of a host or a repository, by day; the list of snapshots has the others. Browsing into them is for plain restic.
import type { SnapshotRow } from '@restic-manager/contract/snapshot-views'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useNow } from '../clock.ts'
import { countOf, formatBytes, formatClock, formatCount, formatDay, formatExact } from '../format.ts'
import { newestSnapshots, type SnapshotsOf } from '../snapshot-reads.ts'
import { useZone } from '../time-zone.ts'
import { LinkButton } from './link-button.tsx'
import { Empty, Panel, SkeletonRows } from './panel.tsx'
import { QueryProblem } from './query-problem.tsx'
import { HostName, ShortName } from './short-name.tsx'
import './snapshot-list.css'
import './table.css'

function Snapshot({
  snapshot,
  of,
  zone,
}: {
  snapshot: SnapshotRow
  of: SnapshotsOf
  zone: string | undefined
}) {
  return (
    <li className="snapshot">
      <code className="mono" title={snapshot.id}>
        {snapshot.shortId}
      </code>
      <time className="num" dateTime={snapshot.time.toISOString()} title={formatExact(snapshot.time, zone)}>
        {formatClock(snapshot.time, zone)}
      </time>
      <span
        className="num right strong"
        title={snapshot.fileCount > 0 ? countOf(snapshot.fileCount, 'file') : undefined}
      >
        {snapshot.sizeBytes > 0 ? formatBytes(snapshot.sizeBytes) : '–'}
      </span>
      <span className="snapshot-what dim">
        <span className="snapshot-beside">
          {of.hostId === undefined ? (
            <HostName name={snapshot.hostname} />
          ) : (
            <ShortName name={snapshot.repositoryName} most={18} />
          )}
        </span>
        <span className="mono cut" title={snapshot.paths.join('\n')}>
          {snapshot.paths.join(' ')}
        </span>
      </span>
      {snapshot.jobStatus === 'incomplete' && <span className="chip chip-warn">incomplete</span>}
      {snapshot.jobId !== null && (
        <Link to="/jobs/$jobId" params={{ jobId: snapshot.jobId }} className="snapshot-job">
          Job
        </Link>
      )}
    </li>
  )
}

/** Those of a host, of a repository, or of a host in a repository. */
export function SnapshotList({ of }: { of: SnapshotsOf }) {
  const zone = useZone()
  const now = useNow(60_000)
  const snapshots = useQuery(newestSnapshots(of))
  const { rows = [], total = 0 } = snapshots.data ?? {}
  const days = Map.groupBy(rows, row => formatDay(row.time, now, zone))
  return (
    <Panel
      title="Snapshots"
      count={snapshots.isSuccess && formatCount(total)}
      flush
      foot={
        total > rows.length && (
          <LinkButton to="/snapshots" search={of}>
            All {formatCount(total)} snapshots
          </LinkButton>
        )
      }
    >
      <QueryProblem what="The snapshots" query={snapshots} />
      {snapshots.isPending && <SkeletonRows rows={4} />}
      {snapshots.isSuccess && rows.length === 0 && (
        <Empty title="No snapshot yet.">
          Each backup that succeeds, or ends incomplete, leaves one here.
        </Empty>
      )}
      {[...days].map(([day, ofDay]) => (
        <section key={day} className="snapshot-day" aria-label={day}>
          <h3 className="snapshot-date dim">{day}</h3>
          <ol>
            {ofDay.map(snapshot => (
              <Snapshot
                key={`${snapshot.repositoryId}${snapshot.id}`}
                snapshot={snapshot}
                of={of}
                zone={zone}
              />
            ))}
          </ol>
        </section>
      ))}
    </Panel>
  )
}
