// Snapshots of many hosts as a timeline: a line for each day, its snapshots below, only those in view on the page.
import type { SnapshotRow } from '@restic-manager/contract/snapshot-views'
import { Link } from '@tanstack/react-router'
import { useNow } from '../clock.ts'
import { countOf, formatBytes, formatClock, formatDay, formatExact } from '../format.ts'
import { retentionInShort, retentionInWords } from '../retention-words.ts'
import { useZone } from '../time-zone.ts'
import { HostName, ShortName } from './short-name.tsx'
import { VirtualTable } from './virtual-table.tsx'
import './snapshot-timeline.css'

type Line = { day: string; snapshot?: undefined; before: number } | { snapshot: SnapshotRow; before: number }

/** Days and their snapshots as one run of lines; `before`: snapshots above a line. */
export function linesOf(rows: SnapshotRow[], dayOf: (time: Date) => string): Line[] {
  const lines: Line[] = []
  let last: string | undefined
  for (const [before, snapshot] of rows.entries()) {
    const day = dayOf(snapshot.time)
    if (day !== last) lines.push({ day, before })
    last = day
    lines.push({ snapshot, before })
  }
  return lines
}

const isOurs = (tag: string) => /^rm-(host|schedule|job)=/.test(tag)

function Badges({ snapshot }: { snapshot: SnapshotRow }) {
  const { jobStatus, retention } = snapshot
  const tags = snapshot.tags.filter(tag => !isOurs(tag))
  return (
    <span className="row snapshot-badges">
      {jobStatus === 'incomplete' && <span className="chip chip-warn">incomplete</span>}
      {retention !== null && (
        <span className="chip cut" title={retentionInWords(retention)}>
          {retentionInShort(retention)}
        </span>
      )}
      {tags.map(tag => (
        <span key={tag} className="chip cut">
          {tag}
        </span>
      ))}
    </span>
  )
}

const Size = ({ snapshot: { sizeBytes, fileCount } }: { snapshot: SnapshotRow }) => (
  <span title={fileCount > 0 ? countOf(fileCount, 'file') : undefined}>
    {sizeBytes > 0 ? formatBytes(sizeBytes) : '–'}
  </span>
)

function Clock({ time, zone }: { time: Date; zone: string | undefined }) {
  return (
    <time className="num" dateTime={time.toISOString()} title={formatExact(time, zone)}>
      {formatClock(time, zone)}
    </time>
  )
}

const Id = ({ snapshot }: { snapshot: SnapshotRow }) =>
  snapshot.jobId === null ? (
    <code className="mono" title={snapshot.id}>
      {snapshot.shortId}
    </code>
  ) : (
    <Link
      to="/jobs/$jobId"
      params={{ jobId: snapshot.jobId }}
      className="row-link mono"
      title={snapshot.id}
      aria-label={`Snapshot ${snapshot.shortId}, the job that made it`}
    >
      {snapshot.shortId}
    </Link>
  )

function Wide({ snapshot, zone }: { snapshot: SnapshotRow; zone: string | undefined }) {
  return (
    <>
      <div role="cell">
        <Clock time={snapshot.time} zone={zone} />
      </div>
      <div role="cell">
        <Id snapshot={snapshot} />
      </div>
      <div role="cell" className="cut">
        <HostName name={snapshot.hostname} />
      </div>
      <div role="cell" className="second cut snapshot-repository">
        <ShortName name={snapshot.repositoryName} most={18} />
      </div>
      <div role="cell" className="num right strong">
        <Size snapshot={snapshot} />
      </div>
      <div role="cell" className="mono dim cut snapshot-paths" title={snapshot.paths.join('\n')}>
        {snapshot.paths.join(' ')}
      </div>
      <div role="cell">
        <Badges snapshot={snapshot} />
      </div>
    </>
  )
}

function Narrow({ snapshot, zone }: { snapshot: SnapshotRow; zone: string | undefined }) {
  return (
    <>
      <div className="phone-line">
        <span className="row cut">
          <Id snapshot={snapshot} />
          <HostName name={snapshot.hostname} />
        </span>
        <span className="num strong">
          <Size snapshot={snapshot} />
        </span>
      </div>
      <div className="phone-line dim">
        <span className="mono cut grow">{snapshot.paths.join(' ')}</span>
        {snapshot.jobStatus === 'incomplete' && <span className="chip chip-warn">incomplete</span>}
        <Clock time={snapshot.time} zone={zone} />
      </div>
    </>
  )
}

const Day = ({ day }: { day: string }) => (
  <div role="cell" className="snapshot-day-line">
    {day}
  </div>
)

const heads = ['Time', 'Snapshot', 'Host', 'Repository', 'Size', 'Folders', 'Kept by']
const classOf: Record<string, string> = {
  Repository: 'snapshot-repository',
  Size: 'right',
  Folders: 'snapshot-paths',
}

/** `onView` hears which of the rows are on the screen. */
export function SnapshotTimeline({
  rows,
  total,
  onView,
}: {
  rows: SnapshotRow[]
  total: number
  onView: (first: number, last: number) => void
}) {
  const zone = useZone()
  const now = useNow(60_000)
  const lines = linesOf(rows, time => formatDay(time, now, zone))
  return (
    <VirtualTable
      label="Snapshots"
      className="snapshot-timeline"
      head={
        <div role="row" className="table-head table-head-stuck" aria-rowindex={1}>
          {heads.map(word => (
            <div key={word} role="columnheader" className={classOf[word] ?? ''}>
              {word}
            </div>
          ))}
        </div>
      }
      rows={lines}
      total={total + lines.length - rows.length}
      keyOf={line =>
        line.snapshot === undefined ? line.day : `${line.snapshot.repositoryId}${line.snapshot.id}`
      }
      renderWide={line =>
        line.snapshot === undefined ? <Day day={line.day} /> : <Wide snapshot={line.snapshot} zone={zone} />
      }
      renderNarrow={line =>
        line.snapshot === undefined ? <Day day={line.day} /> : <Narrow snapshot={line.snapshot} zone={zone} />
      }
      onView={(first, last) => onView(lines[first]?.before ?? 0, lines[last]?.before ?? 0)}
    />
  )
}
