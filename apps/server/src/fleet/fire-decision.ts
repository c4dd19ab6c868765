// What becomes of a fired slot on one repository: a function of what is known, without a database or a clock.
import type { JobStatus } from '@restic-manager/contract/job'
import type { FireDecision } from '@restic-manager/contract/schedule'

/** The row of a slot on one repository, as far as it matters. `elsewhere`: another host than the one that fires runs it. */
export type KnownSlot = {
  status: JobStatus
  reported: boolean
  decidedBy: 'server' | 'agent'
  reason: string | null
  elsewhere: boolean
  released: boolean
}

/** Everything the server knows when a host asks what to do with a slot. */
export type FireKnowledge = {
  plan: 'live' | 'paused' | 'host paused' | 'deleted'
  overlap: 'skip' | 'queue'
  /** A newer slot of the schedule was fired already. */
  newerFired: boolean
  row: KnownSlot | undefined
  /** The host told of a range of slots that did not run, and this is one of them: why. */
  notRun: string | undefined
  place: { elsewhere: boolean } | { refused: string }
  /** A job of the same schedule on the repository is under way. Matters only where the host that fires cannot see it. */
  busy: boolean
}

/** `queue`: make the job. `skip`: record that it does not run. `answer`: it was decided before, nothing changes. */
export type FireRuling =
  | { do: 'queue'; decision: 'queued' | 'delegated' }
  | { do: 'skip'; decision: 'skipped'; reason: string }
  | { do: 'answer'; decision: FireDecision; reason?: string }

/**
 * What to do with a slot its host leaves to the server. What was decided once stays decided: a host that was told `skipped` has
 * let go of the slot, and one that was told `queued` waits for the order. Only our own guess that it was missed gives way.
 */
export function decideFire(known: FireKnowledge): FireRuling {
  const { row, notRun, plan, place, overlap } = known
  if (row !== undefined && !isGuess(row)) return answerOf(row)
  if (notRun !== undefined) return { do: 'answer', decision: 'skipped', reason: notRun }
  const skip = (reason: string): FireRuling => ({ do: 'skip', decision: 'skipped', reason })
  if (plan === 'deleted') return skip('schedule_deleted')
  if (plan === 'paused') return skip('schedule_paused')
  if (plan === 'host paused') return skip('host_paused')
  if (known.newerFired) return skip('superseded')
  if ('refused' in place) return skip(place.refused)
  if (place.elsewhere && known.busy && overlap === 'skip') return skip('overlap')
  return { do: 'queue', decision: place.elsewhere ? 'delegated' : 'queued' }
}

const isGuess = (row: KnownSlot) => row.status === 'missed' && !row.reported

function answerOf(row: KnownSlot): FireRuling {
  const skipped = (reason: string): FireRuling => ({
    do: 'answer',
    decision: 'skipped',
    reason: row.reason ?? reason,
  })
  switch (row.status) {
    case 'missed':
    case 'skipped':
      return skipped(row.status)
    case 'expired':
      return skipped('not_claimed')
    case 'cancelled':
      if (!row.reported) return skipped('cancelled_by_operator')
  }
  if (row.elsewhere) return { do: 'answer', decision: 'delegated' }
  return { do: 'answer', decision: row.decidedBy === 'agent' ? 'duplicate' : 'queued' }
}

/** `record`: make the row. `take`: it is the host's own run now, never ordered. `mark`: likewise, but its status stays. `leave`: nothing changes. */
export type OwnRunRuling = { do: 'record' | 'take' | 'mark' | 'leave'; decision: 'queued' | 'duplicate' }

/**
 * What to do with a slot its host runs by itself. That is a fact, so a guess of ours gives way to it. A cancel or an expiry that
 * the host has not heard of yet still stands: it is on its way to the host. A job that was already let go on another host stays there.
 */
export function decideOwnRun(row: KnownSlot | undefined): OwnRunRuling {
  if (row === undefined) return { do: 'record', decision: 'queued' }
  if (row.reported || (row.elsewhere && row.released)) return { do: 'leave', decision: 'duplicate' }
  switch (row.status) {
    case 'queued':
    case 'missed':
    case 'skipped':
      return { do: 'take', decision: 'queued' }
    case 'cancelled':
    case 'expired':
      return { do: 'mark', decision: 'queued' }
    default:
      return { do: 'leave', decision: row.decidedBy === 'agent' ? 'queued' : 'duplicate' }
  }
}
