// What is told of a job beside its status: what it waits for, which try it is, and who decided that it runs.
import type { JobBrief } from '@restic-manager/contract/views'
import { hasEnded } from '@restic-manager/contract/job-ended'
import { kindWords } from './words.ts'

type Told = Pick<JobBrief, 'status' | 'attempt' | 'decidedBy' | 'forHostName'>

/** Why a queued job does not start yet, in words; undefined when nothing of it is known. */
export function waitsInWords({
  status,
  waitsFor,
}: Pick<JobBrief, 'status' | 'waitsFor'>): string | undefined {
  if (status !== 'queued' || waitsFor === null) return undefined
  return `waiting for ${kindWords[waitsFor.kind].toLowerCase()} of ${waitsFor.hostName}`
}

/** The kind of a job: a preview must not look as if something went. */
export const nameOfKind = ({ kind, dryRun }: Pick<JobBrief, 'kind' | 'dryRun'>): string =>
  dryRun ? `Preview of ${kindWords[kind].toLowerCase()}` : kindWords[kind]

/** What makes a job more than an ordinary one, each in a few words. */
export function asidesOf(job: Told): string[] {
  const asides: string[] = []
  if (job.attempt > 0) asides.push(`retry ${job.attempt}`)
  if (job.decidedBy === 'agent')
    asides.push(hasEnded(job.status) ? 'ran without the server' : 'runs without the server')
  if (job.forHostName !== null) asides.push(`for ${job.forHostName}`)
  return asides
}

/** When a job took place: its start, else the slot it was planned for, else when it was asked for. */
export const momentOf = (job: Pick<JobBrief, 'startedAt' | 'scheduledFor' | 'createdAt'>): Date =>
  job.startedAt ?? job.scheduledFor ?? job.createdAt
