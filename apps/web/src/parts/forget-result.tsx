// What a forget removed or would remove: marks by time, then each snapshot with the rule that keeps it.
import { Button } from '@mantine/core'
import { IconCheck, IconX } from '@tabler/icons-react'
import { useState } from 'react'
import { countOf, formatCount, inertText } from '../format.ts'
import type { Group } from '../forget-groups.ts'
import { When } from './when.tsx'
import './table.css'
import './forget-result.css'

const FEW = 10
const MOST_MARKS = 90

/** A mark for each snapshot, oldest at the left: solid stays, crossed outline goes. */
function Marks({ group }: { group: Group }) {
  const shown = group.snapshots.slice(0, MOST_MARKS).toReversed()
  return (
    <svg
      className="forget-marks"
      viewBox={`0 0 ${Math.max(1, shown.length * 9 - 2)} 20`}
      style={{ width: Math.max(1, shown.length * 9 - 2) }}
      role="img"
      aria-label={`${countOf(group.snapshots.length, 'snapshot')}: ${group.keepCount} stay, ${group.removeCount} go`}
    >
      {shown.map(({ shortId, reasons }, index) => {
        const x = index * 9
        return reasons.length > 0 ? (
          <rect key={shortId} x={x} width={7} height={20} rx={1.5} className="forget-mark-stays" />
        ) : (
          <g key={shortId} className="forget-mark-goes">
            <rect x={x + 0.5} y={0.5} width={6} height={19} rx={1.5} />
            <path d={`M${x + 1.6} 8.1l3.8 3.8m0-3.8l-3.8 3.8`} />
          </g>
        )
      })}
    </svg>
  )
}

function SnapshotsOfGroup({ group, dryRun }: { group: Group; dryRun: boolean }) {
  const [all, setAll] = useState(false)
  const shown = all ? group.snapshots : group.snapshots.slice(0, FEW)
  const listed = group.snapshots.length
  const whole = group.keepCount + group.removeCount
  return (
    <>
      <div className="table forget-table" role="table" aria-label="Snapshots and what becomes of them">
        <div className="table-head" role="row">
          {['Snapshot', 'Taken', 'Outcome and reason'].map(word => (
            <div key={word} role="columnheader">
              {word}
            </div>
          ))}
        </div>
        {shown.map(({ shortId, at, paths, reasons }) => (
          <div key={shortId} role="row" className={`table-row ${reasons.length === 0 ? 'forget-goes' : ''}`}>
            <div role="cell" className="mono cut" title={paths.map(inertText).join('  ')}>
              {inertText(shortId)}
            </div>
            <div role="cell" className="cut">
              <When at={at} />
            </div>
            <div role="cell" className="row cut">
              {reasons.length > 0 ? (
                <>
                  <IconCheck className="tone-accent one-line" size={16} stroke={1.75} aria-hidden />
                  <span className="strong">{dryRun ? 'stays' : 'stayed'}</span>
                  <span className="dim cut" title={reasons.join(', ')}>
                    {inertText(reasons.join(', '))}
                  </span>
                </>
              ) : (
                <>
                  <IconX className="tone-idle one-line" size={16} stroke={1.75} aria-hidden />
                  <s>{dryRun ? 'goes' : 'went'}</s>
                  <span className="dim cut">no rule keeps it</span>
                </>
              )}
            </div>
          </div>
        ))}
      </div>
      {!all && listed > FEW && (
        <div className="forget-more">
          <Button onClick={() => setAll(true)}>Show all {formatCount(listed)}</Button>
        </div>
      )}
      {all && listed < whole && (
        <p className="forget-more dim">The other {formatCount(whole - listed)} are counted and not listed.</p>
      )}
    </>
  )
}

/** `nameOf` says whose snapshots a group holds; a single group goes without a name. */
export function ForgetResult({
  groups,
  dryRun,
  nameOf,
}: {
  groups: Group[]
  dryRun: boolean
  nameOf: (group: Group) => string
}) {
  if (groups.length === 0)
    return <p className="forget-more dim">There is no snapshot of these schedules yet.</p>
  return groups.map(group => (
    <section key={`${group.hostId} ${group.scheduleId}`} className="forget-group">
      <div className="forget-counts">
        {groups.length > 1 && <h3 className="strong">{nameOf(group)}</h3>}
        <p className="num">
          <b>{formatCount(group.keepCount)}</b>{' '}
          {dryRun ? (group.keepCount === 1 ? 'stays' : 'stay') : 'stayed'}{' '}
          <b>{formatCount(group.removeCount)}</b> {dryRun ? 'would go' : 'went'}{' '}
          <span className="dim">of {countOf(group.keepCount + group.removeCount, 'snapshot')}</span>
        </p>
        <Marks group={group} />
      </div>
      <SnapshotsOfGroup group={group} dryRun={dryRun} />
    </section>
  ))
}
