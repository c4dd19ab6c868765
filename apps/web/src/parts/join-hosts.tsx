// The hosts that came in with a line that works for several, as they come.
import type { EnrolmentView } from '@restic-manager/contract/enrolment'
import { Loader } from '@mantine/core'
import { IconAlertTriangle, IconCheck } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { formatClock } from '../format.ts'
import { joinedState, type JoinedState } from '../join-wish.ts'
import { useZone } from '../time-zone.ts'
import { ApprovalNotice } from './approval.tsx'

/** So many are shown, the newest first; all of them are in the list of hosts. */
const MOST_SHOWN = 50
/** Who waits is asked about one after another. */
const MOST_ASKED = 3

function Mark({ tone }: { tone: JoinedState['tone'] }) {
  if (tone === 'now') return <Loader size={14} />
  return tone === 'good' ? <IconCheck size={14} stroke={2.25} /> : <IconAlertTriangle size={14} stroke={2} />
}

export function JoinHosts({ enrolment }: { enrolment: EnrolmentView }) {
  const zone = useZone()
  const { hosts, maxUses, usesLeft } = enrolment
  const waiting = hosts.filter(host => host.waitsSince !== null)
  const newest = hosts.toReversed().slice(0, MOST_SHOWN)
  return (
    <>
      {waiting.slice(0, MOST_ASKED).map(host => (
        <ApprovalNotice key={host.id} host={host} />
      ))}
      <section className="join-steps" aria-labelledby="join-hosts">
        <div className="row">
          <h3 className="join-title grow" id="join-hosts">
            Hosts that came in
          </h3>
          <span className="dim num">
            {maxUses - usesLeft} of {maxUses}
          </span>
        </div>
        {hosts.length === 0 ? (
          <p className="join-step join-now">
            <span className="join-mark" aria-hidden>
              <Loader size={14} />
            </span>
            <span className="dim">None yet. Each appears here as soon as the line runs on it.</span>
          </p>
        ) : (
          <ul className="join-hosts" aria-live="polite">
            {newest.map(host => {
              const { words, tone } = joinedState(host)
              return (
                <li key={host.id} className={`join-step join-${tone === 'good' ? 'done' : tone}`}>
                  <span className="join-mark" aria-hidden>
                    <Mark tone={tone} />
                  </span>
                  <span className="grow cut">
                    <Link to="/hosts/$hostId" params={{ hostId: host.id }} className="strong">
                      {host.name}
                    </Link>
                    <span className="join-detail dim">{words}</span>
                  </span>
                  <span className="dim num">{formatClock(host.redeemedAt, zone, true)}</span>
                </li>
              )
            })}
          </ul>
        )}
        {hosts.length > newest.length && (
          <p className="dim">The newest {MOST_SHOWN} are shown. All of them are in the list of hosts.</p>
        )}
      </section>
    </>
  )
}
