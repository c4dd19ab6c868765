// What the server's clock says, as far as this host knows: a clock that is wrong must not tell of slots that are yet to come.
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import type { Clock } from './timers.ts'

export type ServerTime = {
  /** The server said its time in an answer to something that was sent at `sentAt` of the steady clock. */
  heard(serverTime: string, sentAt: number): void
  /** No slot later than this is told as missed. Infinity: the clocks agree, or nobody knows better. */
  trustedThrough(isLinked: boolean): number
}

/** Begins with trust in the host's own clock. */
export function createServerTime(
  clock: Clock,
  timing: Pick<Timing, 'skewTrusted' | 'skewWarned'>,
  log: Log,
): ServerTime {
  let heard: { serverMs: number; steadyMs: number; skewMs: number } | undefined
  let warned = false
  return {
    heard(serverTime, sentAt) {
      const steadyMs = clock.steady()
      const serverMs = Date.parse(serverTime)
      if (Number.isNaN(serverMs)) return
      const skewMs = Math.round(clock.now() - (steadyMs - sentAt) / 2 - serverMs)
      heard = { serverMs, steadyMs, skewMs }
      const isOff = Math.abs(skewMs) > timing.skewWarned
      if (isOff && !warned)
        log.warn(
          { skewMs },
          'the clock of this host and that of the server differ; times in the dashboard will look wrong',
        )
      warned = isOff
    },
    trustedThrough(isLinked) {
      if (heard === undefined) return Infinity
      // With a link the next heartbeat tells a clock that was set from a machine that slept. Until then neither is believed.
      const serverNow = heard.serverMs + (clock.steady() - heard.steadyMs)
      const skewMs = isLinked ? clock.now() - serverNow : heard.skewMs
      if (Math.abs(skewMs) <= timing.skewTrusted) return Infinity
      return isLinked ? serverNow : clock.now() - skewMs
    },
  }
}
