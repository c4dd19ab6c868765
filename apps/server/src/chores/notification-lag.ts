// How long a change takes to reach a server that listens: this one tells itself now and then, the way any other would hear of it.
import { newId } from '@restic-manager/contract/ids'
import type { Log } from '@restic-manager/runtime/log'
import { type Bus, notify } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { notificationSeconds } from '../metrics.ts'
import { repeat } from './repeat.ts'

const periodMs = 15_000

/** Measures as long as it runs. The answer stops it. A word that is lost or late is not waited for: the next one counts. */
export function measureNotifications(
  { db, bus, log }: { db: Db; bus: Bus; log: Log },
  everyMs = periodMs,
): () => Promise<void> {
  const id = newId()
  const stopped = new AbortController()
  let saidAt: number | undefined
  const hearing = hear()

  async function hear() {
    for await (const { changes } of bus.wakeups([{ topic: 'lag', id }], stopped.signal)) {
      if (changes.length === 0 || saidAt === undefined) continue
      notificationSeconds.observe((performance.now() - saidAt) / 1_000)
      saidAt = undefined
    }
  }

  const stop = repeat('measure notifications', everyMs, log, async () => {
    saidAt = performance.now()
    await notify(db, 'lag', id)
  })
  return async () => {
    stopped.abort()
    await Promise.all([stop(), hearing])
  }
}
