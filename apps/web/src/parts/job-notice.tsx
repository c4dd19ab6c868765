// What must be seen about a job before its numbers: why it ended so, or why nothing moves.
import { hasEnded } from '@restic-manager/contract/job-ended'
import type { JobView } from '@restic-manager/contract/views'
import type { ReactNode } from 'react'
import { useNow } from '../clock.ts'
import { countOf } from '../format.ts'
import { waitsInWords } from '../job-story.ts'
import { saidBeyond, whyEnded } from '../words.ts'
import { Notice } from './notice.tsx'
import { LinkButton } from './link-button.tsx'
import { Ago, When } from './when.tsx'

function AboutAnOpenJob({
  job,
  online,
  lastSeenAt,
}: {
  job: JobView
  online: boolean
  lastSeenAt: Date | null
}): ReactNode {
  const now = useNow()
  if (job.cancelRequestedAt !== null) {
    return (
      <Notice
        tone="warn"
        title={
          <>
            Cancelling, asked for by {job.cancelRequestedBy ?? 'an operator'}{' '}
            <Ago at={job.cancelRequestedAt} />.
          </>
        }
      >
        {online
          ? 'restic removes its lock before it stops. That can take up to 90 seconds.'
          : 'The agent is offline. It hears of this when it comes back.'}
      </Notice>
    )
  }
  const waits = waitsInWords(job)
  if (waits !== undefined && job.waitsFor !== null) {
    return (
      <Notice
        tone="accent"
        title={`${waits.slice(0, 1).toUpperCase()}${waits.slice(1)}.`}
        action={
          <LinkButton to="/jobs/$jobId" params={{ jobId: job.waitsFor.jobId }}>
            Open that job
          </LinkButton>
        }
      >
        Maintenance of a repository runs alone.{' '}
        {job.kind === 'backup' && 'A backup waits an hour for it at most, then it goes ahead.'}
      </Notice>
    )
  }
  if (job.status === 'queued' && job.notBefore !== null && job.notBefore.getTime() > now) {
    return (
      <Notice
        tone="accent"
        title={
          <>
            Retry {job.attempt} starts <When at={job.notBefore} />.
          </>
        }
      />
    )
  }
  if (online) return null
  const seen = <Ago at={lastSeenAt} none="never" />
  return job.status === 'running' ? (
    <Notice tone="warn" title={<>The agent is offline, the job still runs (last seen {seen}).</>}>
      restic does not need the server. What happened meanwhile arrives when the link is back.
    </Notice>
  ) : (
    <Notice
      tone="warn"
      title={
        <>
          {job.hostName} is offline (last seen {seen}).
        </>
      }
    >
      The job waits for it, and expires if it does not come back in time.
    </Notice>
  )
}

/** Whether what is missing would not be read next time either. */
const isForbidden = ({ warnings }: JobView) =>
  warnings.length > 0 &&
  warnings.every(({ message }) => /permission denied|operation not permitted/i.test(message))

/** Nothing to say about a success. */
export function JobNotice({
  job,
  online,
  lastSeenAt,
}: {
  job: JobView
  online: boolean
  lastSeenAt: Date | null
}): ReactNode {
  if (!hasEnded(job.status)) return <AboutAnOpenJob job={job} online={online} lastSeenAt={lastSeenAt} />
  const why = whyEnded(job)
  const said = saidBeyond(job.error, why)
  switch (job.status) {
    case 'succeeded':
      return null
    case 'incomplete':
      return (
        <Notice tone="warn" title={why ?? 'The backup is incomplete, and it counts as a restore point.'}>
          {said ?? `${countOf(job.warningCount, 'warning')}, listed below.`}
          {isForbidden(job) &&
            ' The user of the agent may not read them: run the agent as one who may, or leave them out in the schedule.'}
        </Notice>
      )
    case 'failed':
      return (
        <Notice
          tone="bad"
          title={why ?? 'The job failed.'}
          action={
            job.repositoryName !== null && (
              <LinkButton to="/repositories/$repositoryId" params={{ repositoryId: job.repositoryId }}>
                Open repository
              </LinkButton>
            )
          }
        >
          {said}
        </Notice>
      )
    case 'lost':
      return (
        <Notice tone="bad" title={why ?? 'The job was lost.'}>
          This is what the server concludes. A word from the agent would replace it.
        </Notice>
      )
    case 'cancelled':
      return (
        <Notice
          tone="accent"
          title={
            job.cancelRequestedBy === null
              ? (why ?? 'The job was cancelled.')
              : `Cancelled by ${job.cancelRequestedBy}.`
          }
        >
          {job.startedAt === null ? 'restic was not started.' : said}
        </Notice>
      )
    default:
      return (
        <Notice tone="accent" title={why ?? 'The job did not run.'}>
          {said ??
            (job.provisional
              ? 'This is what the server concludes. A word from the agent would replace it.'
              : undefined)}
        </Notice>
      )
  }
}
