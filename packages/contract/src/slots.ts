// One slot and repository, one job id: both ends derive it, so that a slot can never become two jobs.
import { v5 as uuidv5 } from 'uuid'
import type { Id } from './ids.ts'
import { type Instant, toInstant } from './scalars.ts'

/** The namespace of every derived id. Changing it would run slots twice. */
const namespace = '6f0e3f0b-52a5-4d5e-9a63-8f1f5c6f1b70'

/** A planned instant as it is written in ids and messages: `YYYY-MM-DDTHH:mm:00.000Z`. */
export function toSlot(at: Date | number): Instant {
  const time = new Date(at)
  time.setUTCSeconds(0, 0)
  return toInstant(time)
}

/** The id of the job of one slot on one repository. The same on both ends, for ever. */
export function slotJobId(scheduleId: Id, scheduledAt: Instant, repositoryId: Id): Id {
  const slot = toSlot(Date.parse(scheduledAt))
  return uuidv5(`${scheduleId.toLowerCase()}|${slot}|${repositoryId.toLowerCase()}`, namespace)
}

/** The id of the `n`th retry (from 1) of a job. Made by the server only. */
export function retryJobId(retryOf: Id, n: number): Id {
  return uuidv5(`${retryOf.toLowerCase()}|${n}`, namespace)
}

/** How long after its slot a host fires, in whole milliseconds: the same every time, different for each host. */
export function jitterMs(hostId: Id, scheduleId: Id, jitterSeconds: number): number {
  if (jitterSeconds <= 0) return 0
  const hash = Number.parseInt(
    uuidv5(`${hostId.toLowerCase()}|${scheduleId.toLowerCase()}`, namespace).slice(0, 8),
    16,
  )
  return Math.floor((hash / 2 ** 32) * jitterSeconds * 1_000)
}
