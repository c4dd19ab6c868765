// live.*: tells a page what to read again, at most a few times a second, and when nothing can be read.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Change } from '@restic-manager/contract/change'
import type { Topic, Wakeup } from '../db/bus.ts'
import { unlessOutage } from '../db/outage.ts'
import { changesWithin } from '../fleet/changes-within.ts'
import { router, viewer } from './trpc.ts'

/** At least this long between two rounds, so that a busy fleet does not become a busy page. */
const ROUND_MS = 200
/** More changes than this in one round: the page reads everything again, and gets a while to do so. */
const MOST_CHANGES = 20
const BURST_MS = 1_000
/** Progress stirs a job's bar in lists no more often than this. */
const PROGRESS_MS = 1_000

/** `silentSince`: when the database last answered, for as long as it does not. */
type DatabaseState = { silentSince: Date | null }

const everything: Change = { topic: 'everything', id: '' }

const told = ['host', 'job', 'repository', 'snapshots', 'enrolment', 'alert', 'audit'] as const
const watched = [...told, 'progress'] as const

const isTold = (topic: Topic): topic is (typeof told)[number] => (told as readonly Topic[]).includes(topic)

export const liveRouter = router({
  /**
   * Says what to read again, never what it is now.
   * @yields Change
   */
  changes: viewer({ of: 'fleet' }).subscription(async function* ({ ctx, signal }): AsyncGenerator<Change> {
    const until = signal === undefined ? ctx.closed : AbortSignal.any([ctx.closed, signal])
    const stirred = new Map<string, number>()
    for await (const wakeup of ctx.bus.wakeups(
      watched.filter(topic => topic !== 'audit' || ctx.principal.role === 'admin').map(topic => ({ topic })),
      until,
    )) {
      const heard = worthSaying(wakeup, stirred, performance.now())
      const changes = (await unlessOutage(() => changesWithin(ctx.db, ctx.scope, heard))) ?? [everything]
      for (const change of changes) {
        await ctx.room()
        if (until.aborted) return
        yield change
      }
      const isBurst = !wakeup.everything && changes.includes(everything)
      if (changes.length > 0)
        await sleep(isBurst ? BURST_MS : ROUND_MS, undefined, { signal: until }).catch(() => undefined)
    }
  }),

  /**
   * Whether the database answers: as it is now, then whenever that changes. Nothing else could tell a page that all of it is old.
   * @yields { silentSince: Date | null }
   */
  database: viewer({ of: 'fleet' }).subscription(async function* ({
    ctx,
    signal,
  }): AsyncGenerator<DatabaseState> {
    const until = signal === undefined ? ctx.closed : AbortSignal.any([ctx.closed, signal])
    for await (const since of ctx.silences(until)) {
      await ctx.room()
      if (until.aborted) return
      yield { silentSince: since ?? null }
    }
  }),
})

/** What of a wake-up a page should hear. `stirred` remembers when each job's progress was last said, and is pruned here. */
export function worthSaying(wakeup: Wakeup, stirred: Map<string, number>, nowMs: number): Change[] {
  if (wakeup.everything) return [everything]
  for (const [jobId, at] of stirred) if (nowMs - at >= PROGRESS_MS) stirred.delete(jobId)
  const said = new Map<string, Change>()
  for (const { topic, id } of wakeup.changes) {
    if (isTold(topic)) said.set(`${topic}:${id}`, { topic, id })
  }
  if (said.size > MOST_CHANGES) return [everything]
  for (const { topic, id } of wakeup.changes) {
    if (topic !== 'progress' || said.size >= MOST_CHANGES || stirred.has(id)) continue
    stirred.set(id, nowMs)
    said.set(`job:${id}`, { topic: 'job', id })
  }
  return [...said.values()]
}
