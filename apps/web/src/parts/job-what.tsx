// What happened to a job, in a cell: how far it is, what it did, or why it did not.
import type { JobBrief } from '@restic-manager/contract/views'
import type { ReactNode } from 'react'
import { useNow } from '../clock.ts'
import { countOf, formatBytes, formatCount } from '../format.ts'
import { asidesOf, waitsInWords } from '../job-story.ts'
import { kindWords, whyEnded } from '../words.ts'
import { LiveBar } from './live-bar.tsx'
import { toneOf } from './status.tsx'
import { When } from './when.tsx'

/** The slots a row stands for, when it is more than one. */
export const SlotRange = ({ job }: { job: JobBrief }) =>
  job.slotCount > 1 && (
    <>
      {formatCount(job.slotCount)} slots from <When at={job.notRunFrom} /> to <When at={job.scheduledFor} />
    </>
  )

function Queued({ job }: { job: JobBrief }): ReactNode {
  const now = useNow()
  const waits = waitsInWords(job)
  if (waits !== undefined) return waits
  if (job.notBefore !== null && job.notBefore.getTime() > now)
    return (
      <>
        starts <When at={job.notBefore} />
      </>
    )
  return null
}

function Succeeded({ job }: { job: JobBrief }) {
  const warned = job.warningCount > 0 && countOf(job.warningCount, 'warning')
  const read = job.bytesProcessed !== null && `${formatBytes(job.bytesProcessed)} read`
  return (
    <>
      {read}
      {read !== false && warned !== false && ', '}
      {warned !== false && <span className="tone-warn">{warned}</span>}
    </>
  )
}

function Outcome({ job }: { job: JobBrief }): ReactNode {
  switch (job.status) {
    case 'queued':
    case 'accepted':
      return <Queued job={job} />
    case 'succeeded':
      return <Succeeded job={job} />
    case 'incomplete':
      if (job.warningCount > 0) return `${countOf(job.warningCount, 'warning')}, the restore point is valid`
      return whyEnded(job)
    case 'cancelled':
      return job.provisional ? 'Cancelled before it was claimed.' : whyEnded(job)
    default:
      return job.slotCount > 1 ? (
        <>
          <SlotRange job={job} />. {whyEnded(job)}
        </>
      ) : (
        whyEnded(job)
      )
  }
}

/** One line; the whole reason is in the title. */
export function WhatHappened({ job }: { job: JobBrief }) {
  if (job.status === 'running')
    return (
      <LiveBar share={job.percentDone ?? undefined} label={`${kindWords[job.kind]} on ${job.hostName}`} />
    )
  const tone = toneOf(job.status)
  const asides = asidesOf(job).join(', ')
  return (
    <span
      className={`cut ${tone === 'idle' || tone === 'good' || tone === 'accent' ? 'dim' : `tone-${tone}`}`}
      title={[whyEnded(job), asides].filter(Boolean).join(' · ')}
    >
      <span className="job-outcome">
        <Outcome job={job} />
      </span>
      {asides !== '' && <span className="job-asides dim">{asides}</span>}
    </span>
  )
}
