// Follows a job to its end, with a line for every step of it.
import type { Api, Outputs } from '@restic-manager/client'
import { hasEnded } from '@restic-manager/contract/job-ended'

/** Answers the job as it ended. A job called lost goes on being followed: its host may still tell of it. */
export async function endingOf(api: Api, jobId: string): Promise<Outputs['jobs']['get']> {
  for await (const { status, progress } of api.jobs.follow.subscribe({ jobId })) {
    const done = progress === null ? '' : ` ${Math.floor(progress.percentDone * 100)} %`
    console.log(`${jobId} ${status}${done}`)
    if (hasEnded(status) && status !== 'lost') return api.jobs.get.query({ jobId })
  }
  throw new Error('The client was closed before the job ended.')
}
