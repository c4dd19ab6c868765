// Follows one job while it is on the screen: its numbers, and the rates seen on the way.
import type { Id } from '@restic-manager/contract/ids'
import type { JobLive } from '@restic-manager/contract/views'
import { useEffect, useState } from 'react'
import { staySubscribed } from './stay-subscribed.ts'
import { client, queryClient, trpc, watchForSignOut } from './trpc.ts'

/** What was read per second at one moment. */
export type RateSample = { at: number; rate: number }

/** The longest stretch the graph shows. */
export const WATCHED = 20 * 60_000

/** `live` undefined: nothing heard yet. Stops following when `open` turns false. */
export function useJobLive(jobId: Id, open: boolean): { live: JobLive | undefined; samples: RateSample[] } {
  const [live, setLive] = useState<JobLive>()
  const [samples, setSamples] = useState<RateSample[]>([])
  useEffect(() => {
    if (!open) return
    let status: string | undefined
    return staySubscribed(
      telling =>
        client.jobs.follow.subscribe(
          { jobId },
          {
            ...telling,
            onData: heard => {
              setLive(heard)
              if (status !== undefined && heard.status !== status)
                void queryClient.invalidateQueries(trpc.jobs.get.queryFilter({ jobId }))
              status = heard.status
              const { progress, progressAt } = heard
              if (progress === null || progressAt === null || progress.phase === 'scanning') return
              const at = progressAt.getTime()
              setSamples(old =>
                old.at(-1)?.at === at
                  ? old
                  : [...old.filter(sample => at - sample.at < WATCHED), { at, rate: progress.throughputBps }],
              )
            },
          },
        ),
      { failed: watchForSignOut },
    )
  }, [jobId, open])
  return { live, samples }
}
