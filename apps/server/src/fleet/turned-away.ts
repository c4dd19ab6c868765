// How much was turned away since this server started, by reason: a bounded table in memory, said in the log once in a while.
import { type RefusalCode, refusals } from '@restic-manager/contract/refusal'
import type { Log } from '@restic-manager/runtime/log'

/** What is turned away at the door or by the limits of a connection, before or beside what a procedure refuses. */
export const doorReasons = [
  'nothing_here', // an upgrade to an address that takes none
  'no_bearer', // an agent without the bearer of a proven session
  'bearer_refused', // a bearer that is wrong, old or was used before
  'not_private', // an agent over plain http from another machine
  'foreign_origin', // a page of another site
  'too_many_unproven', // connections of one address that have not said who they are
  'too_many_requests', // the rate limit of an address
  'too_many_arriving', // agents on their way in
  'stopping', // the server is going away
  'broken_http',
  'broken_frame',
  'frame_too_large', // also in too many pieces
  'body_too_large',
  'unreadable', // no JSON, or no request
  'too_many_calls', // in one frame
  'too_many_subscriptions', // on one connection
  'foreign_id', // a host that named what is another host's
  'reader_too_slow',
] as const

/** Why something was turned away: at the door, or by the stable code of a refusal. No other ever, so that what is kept is bounded. */
export type TurnedAwayReason = (typeof doorReasons)[number] | RefusalCode

/** One line of the table. `count`: since this server started. */
export type TurnedAwayRow = { reason: TurnedAwayReason; count: number; lastAt: Date }

export type TurnedAway = {
  /** Counts one. `address`: the peer, kept only for the line in the log. Never throws. */
  count(reason: TurnedAwayReason, address?: string): void
  /** What was counted so far, most first. */
  rows(): TurnedAwayRow[]
  /** Writes what came since the last line into the log, if anything did. */
  say(): void
}

const known: ReadonlySet<string> = new Set([...doorReasons, ...Object.keys(refusals)])
/** Addresses in one line of the log. */
const mostAddresses = 10

/** An empty table. Each server has its own: a count says what came to this one. */
export function countTurnedAway(log: Log): TurnedAway {
  const counts = new Map<TurnedAwayReason, { count: number; lastAt: number }>()
  let unsaid = new Map<TurnedAwayReason, number>()
  let addresses = new Set<string>()

  return {
    count(reason, address) {
      if (!known.has(reason)) return
      const row = counts.get(reason) ?? { count: 0, lastAt: 0 }
      row.count += 1
      row.lastAt = Date.now()
      counts.set(reason, row)
      unsaid.set(reason, (unsaid.get(reason) ?? 0) + 1)
      if (address !== undefined && addresses.size < mostAddresses) addresses.add(address)
    },
    rows: () =>
      [...counts]
        .map(([reason, { count, lastAt }]) => ({ reason, count, lastAt: new Date(lastAt) }))
        .toSorted((a, b) => b.count - a.count || a.reason.localeCompare(b.reason)),
    say() {
      if (unsaid.size === 0) return
      const turnedAway = Object.fromEntries(unsaid)
      const from = [...addresses]
      unsaid = new Map()
      addresses = new Set()
      log.info({ turnedAway, from }, 'turned away since the last such line')
    },
  }
}
