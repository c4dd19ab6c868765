// What runs just now, each with its own live bar.
import { hasEnded } from '@restic-manager/contract/job-ended'
import type { Overview, RunningJob } from '@restic-manager/contract/overview'
import { Link } from '@tanstack/react-router'
import { formatBytes, formatBytesOf, formatCount, formatLeft, formatPercent, formatRate } from '../format.ts'
import { useJobLive } from '../job-live.ts'
import { kindWords } from '../words.ts'
import { LinkButton } from './link-button.tsx'
import { LiveBar } from './live-bar.tsx'
import { Panel } from './panel.tsx'
import { HostName } from './short-name.tsx'
import './running-now.css'

function Running({ job }: { job: RunningJob }) {
  const { live } = useJobLive(job.id, !hasEnded(job.status))
  const progress = live === undefined ? job.progress : live.progress
  const share =
    progress === null || progress.totalBytes === 0 || progress.phase === 'scanning'
      ? undefined
      : Math.min(progress.percentDone, 0.99)
  return (
    <li className="running-row">
      <div className="row">
        <Link
          to="/jobs/$jobId"
          params={{ jobId: job.id }}
          className="running-name grow cut"
          aria-label={`${kindWords[job.kind]} on ${job.hostName}`}
        >
          <HostName name={job.hostName} />
        </Link>
        {share !== undefined && <span className="running-percent num">{formatPercent(share)}</span>}
      </div>
      <p className="dim cut">
        {[kindWords[job.kind], job.scheduleName].filter(Boolean).join(' · ')}
        {job.repositoryName !== null && ` → ${job.repositoryName}`}
      </p>
      <LiveBar share={share} label={`${kindWords[job.kind]} on ${job.hostName}`} />
      <div className="row dim num running-numbers">
        <span className="grow cut">
          {progress === null
            ? 'starting'
            : share === undefined
              ? `${formatBytes(progress.bytesDone)} counted`
              : `${formatBytesOf(progress.bytesDone, progress.totalBytes)} · ${formatRate(progress.throughputBps)}`}
        </span>
        {share !== undefined && progress?.etaSeconds !== undefined && (
          <span>{formatLeft(progress.etaSeconds)} left</span>
        )}
      </div>
    </li>
  )
}

/** The oldest first; the rest is a number. */
export function RunningNow({ running }: { running: Overview['running'] }) {
  const hidden = running.total - running.rows.length
  return (
    <Panel
      title="Running now"
      count={formatCount(running.total)}
      actions={
        <LinkButton to="/jobs" variant="subtle">
          All jobs
        </LinkButton>
      }
      foot={hidden > 0 && `and ${formatCount(hidden)} more`}
      flush
    >
      {running.rows.length === 0 ? (
        <p className="dim running-none">Nothing runs at the moment.</p>
      ) : (
        <ul>
          {running.rows.map(job => (
            <Running key={job.id} job={job} />
          ))}
        </ul>
      )}
    </Panel>
  )
}
