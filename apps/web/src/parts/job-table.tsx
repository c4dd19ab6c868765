// Jobs in rows: what, where, when, how long, and what happened. Used by the list of jobs and by the host page.
import { hasEnded } from '@restic-manager/contract/job-ended'
import type { JobBrief } from '@restic-manager/contract/views'
import { Link } from '@tanstack/react-router'
import { memo } from 'react'
import { useNow } from '../clock.ts'
import { formatDuration, formatPercent } from '../format.ts'
import { momentOf, nameOfKind } from '../job-story.ts'
import { WhatHappened } from './job-what.tsx'
import { HostName, ShortName } from './short-name.tsx'
import { JobStatusMark } from './status.tsx'
import { useNarrow, VirtualTable } from './virtual-table.tsx'
import { When } from './when.tsx'
import './table.css'
import './job-table.css'

function Took({ job }: { job: JobBrief }) {
  const now = useNow(1_000)
  if (job.startedAt === null) return <span className="dim">–</span>
  const end = job.finishedAt?.getTime() ?? (hasEnded(job.status) ? undefined : now)
  if (end === undefined) return <span className="dim">–</span>
  return (
    <span className={job.finishedAt === null ? 'dim' : undefined}>
      {formatDuration(end - job.startedAt.getTime())}
    </span>
  )
}

const JobLink = ({ job, named = true }: { job: JobBrief; named?: boolean }) => (
  <Link
    to="/jobs/$jobId"
    params={{ jobId: job.id }}
    className={`row-link job-kind ${named ? 'cut' : 'one-line'}`}
  >
    {nameOfKind(job)}
    {named && job.scheduleName !== null && <span className="job-schedule">{job.scheduleName}</span>}
  </Link>
)

const RepositoryName = ({ job }: { job: JobBrief }) =>
  job.repositoryName === null ? (
    <span className="dim">removed repository</span>
  ) : (
    <ShortName name={job.repositoryName} most={18} />
  )

/** Scrolling moves rows; only one whose host or job is another is drawn again. */
const WideRow = memo(function WideRow({ job, withHost }: { job: JobBrief; withHost: boolean }) {
  return (
    <>
      <div role="cell">
        <JobStatusMark
          status={job.status}
          beside={
            job.status === 'running' && job.percentDone !== null ? formatPercent(job.percentDone) : undefined
          }
        />
      </div>
      <div role="cell" className="cut">
        <JobLink job={job} />
      </div>
      {withHost && (
        <div role="cell" className="cut">
          <Link
            to="/hosts/$hostId"
            params={{ hostId: job.hostId }}
            className="row-above second"
            aria-label={job.hostName}
          >
            <HostName name={job.hostName} />
          </Link>
        </div>
      )}
      <div role="cell" className="second cut">
        <RepositoryName job={job} />
      </div>
      <div role="cell" className="cut">
        <When at={momentOf(job)} />
      </div>
      <div role="cell" className="num right job-took">
        <Took job={job} />
      </div>
      <div role="cell" className="job-what">
        <WhatHappened job={job} />
      </div>
    </>
  )
})

const NarrowRow = memo(function NarrowRow({ job, withHost }: { job: JobBrief; withHost: boolean }) {
  return (
    <>
      <div className="phone-line">
        <span className="row cut">
          <JobLink job={job} named={!withHost} />
          {(withHost || job.scheduleName === null) && (
            <span className="dim cut">
              {withHost ? <HostName name={job.hostName} /> : <RepositoryName job={job} />}
            </span>
          )}
        </span>
        <JobStatusMark
          status={job.status}
          beside={
            job.status === 'running' && job.percentDone !== null ? formatPercent(job.percentDone) : undefined
          }
        />
      </div>
      <div className="phone-line dim">
        <span className="job-phone-what grow">
          <WhatHappened job={job} />
        </span>
        <When at={momentOf(job)} />
      </div>
    </>
  )
})

function Head({ withHost, stuck }: { withHost: boolean; stuck: boolean }) {
  const words = [
    'Status',
    'Job',
    ...(withHost ? ['Host'] : []),
    'Repository',
    'When',
    'Took',
    'What happened',
  ]
  return (
    <div role="row" className={`table-head ${stuck ? 'table-head-stuck' : ''}`} aria-rowindex={1}>
      {words.map(word => (
        <div
          key={word}
          role="columnheader"
          className={word === 'Took' ? 'right job-took' : word === 'What happened' ? 'job-what' : ''}
        >
          {word}
        </div>
      ))}
    </div>
  )
}

/** The whole list, read as it is scrolled. */
export const JobTable = ({
  jobs,
  hasMore,
  onView,
}: {
  jobs: JobBrief[]
  hasMore: boolean
  onView: (first: number, last: number) => void
}) => (
  <VirtualTable
    label="Jobs"
    className="job-table"
    head={<Head withHost stuck />}
    rows={jobs}
    total={jobs.length + (hasMore ? 1 : 0)}
    keyOf={job => job.id}
    renderWide={job => <WideRow job={job} withHost />}
    renderNarrow={job => <NarrowRow job={job} withHost />}
    onView={onView}
  />
)

/** A few jobs of one host. */
export function JobRows({ jobs }: { jobs: JobBrief[] }) {
  const narrow = useNarrow()
  return (
    <div className="table job-table job-table-short" role="table" aria-label="Recent jobs">
      {!narrow && <Head withHost={false} stuck={false} />}
      {jobs.map(job => (
        <div key={job.id} role="row" className={narrow ? 'phone-row' : 'table-row'}>
          {narrow ? (
            <div role="cell">
              <NarrowRow job={job} withHost={false} />
            </div>
          ) : (
            <WideRow job={job} withHost={false} />
          )}
        </div>
      ))}
    </div>
  )
}
