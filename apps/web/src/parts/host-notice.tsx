// The one thing about a host that needs hands, the worst first.
import { timing } from '@restic-manager/contract/timing'
import type { HostView } from '@restic-manager/contract/views'
import { Button } from '@mantine/core'

import type { ReactNode } from 'react'
import { formatDuration } from '../format.ts'
import { useMay } from '../me.ts'
import { kindWords, saidBeyond, whyEnded } from '../words.ts'
import { ApprovalNotice } from './approval.tsx'
import { HostSpoolNotice } from './host-spool-notice.tsx'
import { PausedNotice } from './host-pause.tsx'
import { ReleaseHost } from './host-identity.tsx'
import { LinkButton } from './link-button.tsx'
import { Notice } from './notice.tsx'
import { Ago, When } from './when.tsx'

/** `onGone`: the host was turned away. */
type Props = { host: HostView; runNow: () => void; onGone: () => void }

/** At most one notice, and one each about the host's records and its clock. `runNow` opens the dialog that would clear a failed backup. */
export function HostNotice(props: Props): ReactNode {
  return (
    <>
      <MainNotice {...props} />
      <HostSpoolNotice host={props.host} />
      <ClockNotice host={props.host} />
    </>
  )
}

function ClockNotice({ host: { online, clockSkewMs } }: { host: HostView }): ReactNode {
  if (!online || Math.abs(clockSkewMs) <= timing.skewWarned) return null
  const off = formatDuration(Math.abs(clockSkewMs))
  return (
    <Notice tone="warn" title={`The clock of this host is ${off} ${clockSkewMs > 0 ? 'ahead' : 'behind'}.`}>
      Its schedules follow its own clock, and the times of its jobs look wrong here. Let it keep time by NTP.
    </Notice>
  )
}

function MainNotice({ host, runNow, onGone }: Props): ReactNode {
  const mayRun = useMay('operator')
  const mayAdd = useMay('admin')
  const last = host.lastJob
  if (host.state === 'quarantined') {
    return (
      <Notice
        tone="bad"
        title="Quarantined: two machines answer with this host’s identity."
        action={mayAdd && <ReleaseHost host={host} />}
      >
        {host.quarantineReason} It gets no orders and no secrets. Stop the agent on the copy, then release the
        host; or remove it, and add each machine anew with its own token.
      </Notice>
    )
  }
  if (host.state === 'waiting') return <ApprovalNotice host={host} onRejected={onGone} />
  if (host.state === 'paused') return <PausedNotice host={host} />
  if (host.state === 'offline') {
    return (
      <Notice
        tone="bad"
        title={
          <>
            Offline since <When at={host.lastSeenAt} none="it was added" />.
          </>
        }
      >
        {host.lastSeenAt !== null && (
          <>
            Last seen <Ago at={host.lastSeenAt} />.{' '}
          </>
        )}
        Start its agent on the host: <code className="mono">npm run -s agent -- run</code>. If it runs there,
        only the link is missing, and its backups go on without the server.
      </Notice>
    )
  }
  if (host.resticVersion === null) {
    return (
      <Notice tone="bad" title="No usable restic on this host.">
        Install restic 0.17 or newer, then start the agent again.
      </Notice>
    )
  }
  if (last !== null && (last.status === 'failed' || last.status === 'lost') && host.runningJob === null) {
    const why = whyEnded(last)
    return (
      <Notice
        tone="bad"
        title={
          <>
            {kindWords[last.kind]} {last.status === 'lost' ? 'was lost' : 'failed'}{' '}
            <Ago at={last.finishedAt ?? last.createdAt} />
            {why === undefined ? '.' : `: ${why}`}
          </>
        }
        action={
          <>
            <LinkButton to="/jobs/$jobId" params={{ jobId: last.id }}>
              Open job
            </LinkButton>
            {mayRun && last.kind === 'backup' && <Button onClick={runNow}>Run again</Button>}
          </>
        }
      >
        {saidBeyond(last.error, why)}
      </Notice>
    )
  }
  if (host.repositories.length === 0) {
    return (
      <Notice
        tone="accent"
        title="Nothing is backed up here yet: this host has no repository."
        action={
          mayAdd && (
            <LinkButton to="/repositories/add" search={{ hostId: host.id }}>
              Add repository
            </LinkButton>
          )
        }
      >
        A repository that exists already can be given to this host on its own page.
      </Notice>
    )
  }
  return null
}
