// How long to wait before the next dial, and how loud to be about why there is no link.
import { startBackoff } from '@restic-manager/runtime/backoff'
import type { Timing } from '@restic-manager/contract/timing'
import { serverWord } from './failure.ts'
import { StateUnusable } from './state.ts'
import { TurnedAway } from './link.ts'
import { PlainAnswer } from './plain-call.ts'

/** How a dial ended. */
export type DialEnd = {
  /** What it failed with; undefined: there was a link, and it is gone. */
  error?: unknown
  /** How long the link held. */
  heldMs: number
  /** The server closed the link because it restarts. */
  isRestart: boolean
}

/** Longer than this no server makes its agents wait. */
const longestWaitMs = 10 * 60_000

/** Answers after each dial how long to wait. `random` stands between 0 and 1. */
export function planRedials(
  timing: Pick<Timing, 'backoffBase' | 'backoffCap' | 'backoffReset' | 'approvalAsk'>,
  random: () => number = Math.random,
): (end: DialEnd) => number {
  const { backoffBase: baseMs, backoffCap: capMs, backoffReset: resetMs } = timing
  const backoff = startBackoff({ baseMs, capMs, resetMs }, random)
  return ({ error, heldMs, isRestart }) => {
    // Somebody may be watching who has just let it in.
    if (waitsForApproval(error)) return timing.approvalAsk * (0.5 + random())
    // Who is refused will most likely be refused again: no hurry.
    if (isRefusal(error)) return capMs * (0.5 + random() / 2)
    // A server that is busy spreads its agents by what it asks of each; they add a spread of their own.
    const asked = waitAsked(error)
    if (asked !== undefined) return asked * (1 + random())
    const wait = backoff.next(heldMs)
    // Nothing is wrong, unless it happens again and again. The others of the fleet were sent away in the same moment.
    return isRestart ? Math.max(baseMs * (1 + 2 * random()), wait) : wait
  }
}

/** Whether one of the two ends does not want the other as it is: dialling at once again would not help. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof StateUnusable || isUntrusted(error)) return true
  if (error instanceof TurnedAway) return error.status === 401 || error.status === 403
  const word = serverWord(error)
  return (
    word !== undefined &&
    ['UNAUTHORIZED', 'FORBIDDEN', 'NOT_FOUND', 'PRECONDITION_FAILED'].includes(word.code)
  )
}

/** Whether all there is to do is to wait until an admin lets this host in. */
export const waitsForApproval = (error: unknown): boolean => serverWord(error)?.refusal === 'host_waiting'

/** Whether the server could not show that it is the one that was dialled: its certificate is not good for that. */
export function isUntrusted(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== undefined && certificateCodes.test(code)) return true
  }
  return false
}

/** The codes by which OpenSSL and Node turn a certificate down. */
const certificateCodes =
  /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|INVALID_CA$|INVALID_PURPOSE$|HOSTNAME_MISMATCH$)/

/** What a busy server asked for in seconds, in milliseconds; undefined: nothing. */
function waitAsked(error: unknown): number | undefined {
  const seconds = Number(retryAfterOf(error) ?? Number.NaN)
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1000, longestWaitMs) : undefined
}

function retryAfterOf(error: unknown): string | undefined {
  if (error instanceof TurnedAway) return error.retryAfter
  const { response } = (error as { meta?: { response?: unknown } } | undefined)?.meta ?? {}
  return response instanceof PlainAnswer && [429, 503].includes(response.status)
    ? response.retryAfter
    : undefined
}
