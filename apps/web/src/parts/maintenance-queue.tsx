// Forget, prune, check and unlock that run or wait, in the order they lined up.
import type { Overview } from '@restic-manager/contract/overview'
import { Link } from '@tanstack/react-router'
import { formatCount, formatPercent } from '../format.ts'
import { waitsInWords } from '../job-story.ts'
import { kindWords } from '../words.ts'
import { Panel } from './panel.tsx'
import { Ago } from './when.tsx'
import './running-now.css'

/** Nothing where nothing is queued: an empty queue needs no panel. */
export function MaintenanceQueue({ queue }: { queue: Overview['maintenance'] }) {
  if (queue.total === 0) return null
  return (
    <Panel
      title="Maintenance queue"
      count={formatCount(queue.total)}
      foot="One at a time per repository; backups go first."
      flush
    >
      <ul>
        {queue.rows.map(job => (
          <li key={job.id} className="queue-row">
            <Link to="/jobs/$jobId" params={{ jobId: job.id }} className="running-name">
              {kindWords[job.kind]}
            </Link>
            <div className="grow">
              <p className="cut">{job.repositoryName ?? 'removed repository'}</p>
              <p className="dim cut">{waitsInWords(job) ?? `on ${job.hostName}`}</p>
            </div>
            <span className="dim num">
              {job.status === 'running' ? (
                job.percentDone === null ? (
                  'running'
                ) : (
                  formatPercent(job.percentDone)
                )
              ) : (
                <Ago at={job.createdAt} />
              )}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
