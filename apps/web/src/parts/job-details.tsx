// The side of a job's page: what was asked, the command as it ran, and the warnings.
import { BackupSpec } from '@restic-manager/contract/command'
import type { JobView } from '@restic-manager/contract/views'
import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { countOf, formatCount, inertText } from '../format.ts'
import { CodeBlock } from './code-block.tsx'
import { CopyText } from './copy.tsx'
import { SlotRange } from './job-what.tsx'
import { Details, Panel } from './panel.tsx'
import { When } from './when.tsx'
import './job-details.css'

const FEW = 20

const Paths = ({ paths }: { paths: readonly string[] }) => (
  <ul>
    {paths.map(path => (
      <li key={path} className="mono break">
        {inertText(path)}
      </li>
    ))}
  </ul>
)

/** Enough of an id to tell two apart; the whole on hover and in the address. */
const ShortId = ({ id }: { id: string }) => (
  <span className="mono" title={id}>
    {id.slice(0, 13)}…{id.slice(-4)}
  </span>
)

/** Facts of the job, one a line. */
export function JobDetails({ job }: { job: JobView }) {
  const spec = job.kind === 'backup' ? BackupSpec.safeParse(job.spec).data : undefined
  const items: { term: string; value: ReactNode }[] = [{ term: 'Job', value: <ShortId id={job.id} /> }]
  if (job.scheduleId !== null)
    items.push({
      term: 'Schedule',
      value:
        job.scheduleName === null ? (
          'a deleted one'
        ) : (
          <Link to="/schedules/$scheduleId" params={{ scheduleId: job.scheduleId }}>
            {job.scheduleName}
          </Link>
        ),
    })
  if (job.slotCount > 1) items.push({ term: 'Slots', value: <SlotRange job={job} /> })
  else if (job.scheduledFor !== null) items.push({ term: 'Slot', value: <When at={job.scheduledFor} /> })
  if (job.forHostName !== null) items.push({ term: 'On behalf of', value: job.forHostName })
  if (job.decidedBy === 'agent')
    items.push({ term: 'Decided by', value: 'the host itself, the server was away' })
  if (job.retryOf !== null)
    items.push({
      term: `Retry ${job.attempt}`,
      value: (
        <>
          of{' '}
          <Link to="/jobs/$jobId" params={{ jobId: job.retryOf }}>
            the job that failed
          </Link>
        </>
      ),
    })
  if (job.requestedBy !== null) items.push({ term: 'Asked by', value: job.requestedBy })
  items.push({ term: job.requestedBy === null ? 'Recorded' : 'Asked', value: <When at={job.createdAt} /> })
  if (job.acceptedAt !== null) items.push({ term: 'Accepted', value: <When at={job.acceptedAt} /> })
  if (job.startedAt !== null) items.push({ term: 'Started', value: <When at={job.startedAt} /> })
  if (job.finishedAt !== null) items.push({ term: 'Ended', value: <When at={job.finishedAt} /> })
  if (job.resticVersion !== null) items.push({ term: 'restic', value: job.resticVersion })
  if (job.exitCode !== null) items.push({ term: 'Exit code', value: job.exitCode })
  if (job.signal !== null) items.push({ term: 'Signal', value: job.signal })
  if (job.snapshotId !== null)
    items.push({ term: 'Snapshot', value: <span className="mono">{job.snapshotId.slice(0, 8)}</span> })
  if (spec !== undefined) items.push({ term: 'Folders', value: <Paths paths={spec.paths} /> })
  if (spec?.excludes !== undefined && spec.excludes.length > 0)
    items.push({
      term: 'Left out',
      value: <span className="mono">{inertText(spec.excludes.join('  '))}</span>,
    })
  return (
    <Panel title="Details">
      <Details items={items} />
      {job.command !== null && (
        <div className="job-command">
          <div className="row job-command-head">
            <span className="strong">Command</span>
            <span className="dim grow">secrets masked</span>
            <CopyText text={job.command} />
          </div>
          <CodeBlock text={inertText(job.command)} label="The command that ran" />
        </div>
      )}
    </Panel>
  )
}

/** What went less than well, the first few at once. */
export function JobWarnings({ job }: { job: JobView }) {
  const [all, setAll] = useState(false)
  if (job.warnings.length === 0) return null
  const shown = all ? job.warnings : job.warnings.slice(0, FEW)
  return (
    <Panel title="Warnings" count={formatCount(job.warningCount)}>
      <ul className="job-warnings">
        {shown.map((warning, index) => (
          // A finished job's warnings never move.
          // eslint-disable-next-line react/no-array-index-key
          <li key={index} className="break">
            {warning.path !== undefined && <span className="mono">{inertText(warning.path)}</span>}
            <span className="second">{inertText(warning.message)}</span>
          </li>
        ))}
      </ul>
      {!all && job.warnings.length > FEW && (
        <Button onClick={() => setAll(true)}>Show all {countOf(job.warnings.length, 'warning')}</Button>
      )}
    </Panel>
  )
}

/** The files restic reads at this moment. The place stays the same height, so nothing below it moves. */
export const CurrentFiles = ({ files }: { files: readonly string[] }) => (
  <div className="current-files">
    <p className="dim">Now reading</p>
    <ul>
      {[0, 1].map(index => (
        <li key={index} className="mono cut" title={files[index]}>
          {inertText(files[index] ?? '') || ' '}
        </li>
      ))}
    </ul>
  </div>
)

/** Where the job ran and to what, as links. */
export const JobPlace = ({ job }: { job: JobView }) => (
  <>
    on{' '}
    <Link to="/hosts/$hostId" params={{ hostId: job.hostId }}>
      {job.hostName}
    </Link>{' '}
    {job.kind === 'backup' ? 'to' : 'in'}{' '}
    {job.repositoryName === null ? (
      'a removed repository'
    ) : (
      <Link to="/repositories/$repositoryId" params={{ repositoryId: job.repositoryId }}>
        {job.repositoryName}
      </Link>
    )}
  </>
)
