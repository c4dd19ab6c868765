// Who hears of a change of jobs.
import { notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'

/** Tells everybody who watches these jobs or their hosts, and the agents that may have something to do. */
export function tellOfJobs(tx: Db, changed: readonly { id: string; hostId: string }[]): Promise<void> {
  const hostIds = changed.map(({ hostId }) => hostId)
  return notifyAll(tx, { job: changed.map(({ id }) => id), host: hostIds, orders: hostIds })
}
