// One job, live: how far, how fast, what it reads, what it says, and the command that runs.
import { hasEnded } from '@restic-manager/contract/job-ended'
import type { JobView } from '@restic-manager/contract/views'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { countOf } from '../format.ts'
import { useJobLive } from '../job-live.ts'
import { momentOf, nameOfKind } from '../job-story.ts'
import { useLogFeed } from '../log-feed.ts'
import { Crumbs } from '../parts/crumbs.tsx'
import { JobActions } from '../parts/job-actions.tsx'
import { CurrentFiles, JobDetails, JobPlace, JobWarnings } from '../parts/job-details.tsx'
import { JobNotice } from '../parts/job-notice.tsx'
import { EndedNumbers, RunningNumbers } from '../parts/job-progress.tsx'
import { JobResult } from '../parts/job-result.tsx'
import { LinkButton } from '../parts/link-button.tsx'
import { LogViewer } from '../parts/log-viewer.tsx'
import { Empty, PageHead, Panel, SkeletonRows } from '../parts/panel.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { RateGraph } from '../parts/rate-graph.tsx'
import { HostName } from '../parts/short-name.tsx'
import { JobStatusMark } from '../parts/status.tsx'
import { When } from '../parts/when.tsx'
import { useHostZone } from '../time-zone.ts'
import { refusalIn, trpc } from '../trpc.ts'

const route = getRouteApi('/shell/jobs/$jobId')

function JobBody({ job }: { job: JobView }) {
  const open = !hasEnded(job.status)
  const { live, samples } = useJobLive(job.id, open)
  const feed = useLogFeed(job)
  useHostZone(useQuery(trpc.hosts.get.queryOptions({ hostId: job.hostId })).data?.timeZone)

  const progress = live?.progress ?? job.progress
  const online = live?.hostOnline ?? job.hostOnline
  const lastSeenAt = live?.hostLastSeenAt ?? job.hostLastSeenAt
  const isBackup = job.kind === 'backup'
  // A slot that did not run has no log, and none is on its way.
  const neverRan = job.status === 'missed' || job.status === 'skipped'
  const graph = isBackup && (open || samples.length > 1)
  return (
    <>
      <PageHead
        title={`${nameOfKind(job)} · ${job.hostName}`}
        beside={<JobStatusMark status={job.status} />}
        below={
          <>
            <JobPlace job={job} /> ·{' '}
            {job.startedAt !== null ? 'started' : job.scheduledFor !== null ? 'planned for' : 'asked'}{' '}
            <When at={momentOf(job)} />
          </>
        }
        actions={<JobActions job={job} />}
      />
      <JobNotice job={job} online={online} lastSeenAt={lastSeenAt} />
      {open ? (
        <RunningNumbers
          job={job}
          progress={progress}
          online={online}
          samples={samples}
          warnings={feed.warnings + feed.errors}
        />
      ) : (
        <EndedNumbers job={job} />
      )}
      <div className="with-side">
        <div className="stack">
          {graph && (
            <Panel title="Read rate" count={open ? 'while you watch' : 'as you watched'}>
              <RateGraph samples={samples} />
              {open && <CurrentFiles files={progress?.currentFiles ?? []} />}
            </Panel>
          )}
          <JobResult job={job} />
          <JobWarnings job={job} />
          {job.logRemovedAfterDays === null ? (
            <LogViewer jobId={job.id} feed={neverRan ? { ...feed, complete: true } : feed} live={open} />
          ) : (
            <Panel title="Log">
              <p className="dim">
                The log of this job was removed after {countOf(job.logRemovedAfterDays, 'day')}.
              </p>
            </Panel>
          )}
        </div>
        <JobDetails job={job} />
      </div>
    </>
  )
}

/** The page of one job. */
export function JobPage() {
  const { jobId } = route.useParams()
  const job = useQuery(trpc.jobs.get.queryOptions({ jobId }))
  const gone = refusalIn(job.error) === 'job_not_found'
  const here = job.data === undefined ? 'Job' : `${nameOfKind(job.data)} · ${job.data.hostName}`
  return (
    <>
      <Crumbs
        way={[{ word: 'Jobs', link: { to: '/jobs' } }]}
        here={here}
        shown={
          job.data && (
            <span className="crumbs-parts">
              {nameOfKind(job.data)} · <HostName name={job.data.hostName} />
            </span>
          )
        }
      />
      {gone ? (
        <Empty title="There is no such job." action={<LinkButton to="/jobs">All jobs</LinkButton>}>
          The link may not be complete.
        </Empty>
      ) : (
        <QueryProblem what="The job" query={job} />
      )}
      {job.isPending && (
        <Panel flush>
          <SkeletonRows rows={8} height={52} />
        </Panel>
      )}
      {job.data !== undefined && !gone && <JobBody key={jobId} job={job.data} />}
    </>
  )
}
