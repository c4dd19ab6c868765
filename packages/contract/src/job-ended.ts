// Whether a job is over. Apart from the schemas, so that a page which only shows jobs needs none of them.
import type { JobStatus } from './job.ts'

/** Whether a job in this status has come to an end, reported or inferred. */
export const hasEnded = (status: JobStatus): boolean =>
  status !== 'queued' && status !== 'accepted' && status !== 'running'
