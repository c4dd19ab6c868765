// Keeps this host connected: proves the key, dials, works on the link until it is gone, waits, and starts over.
import type { KeyObject } from 'node:crypto'
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import { sentenceOf, serverWord } from './failure.ts'
import {
  confirmSession,
  offerSession,
  openKeys,
  settleKey,
  type Enrolment,
  type SessionOffer,
} from './identity.ts'
import { proveSession } from './join.ts'
import { beginKeyChange, followKey } from './key-change.ts'
import { openLink } from './link.ts'
import { type Way, wayTo } from './plain-call.ts'
import { noteLink, readLinkStatus } from './link-status.ts'
import { pauseFor } from './pause.ts'
import { isRefusal, isUntrusted, planRedials, waitsForApproval, type DialEnd } from './redial.ts'
import { speak, type SessionParts } from './session.ts'
import { steady } from './timers.ts'

export type Caller = {
  stateDir: string
  enrolment: Enrolment
  parts: Omit<SessionParts, 'onRotateKey'>
  timing: Timing
  log: Log
}

/** Dials again and again until `signal` aborts. Never rejects: what went wrong is in the log and in the status. */
export async function keepLinked(caller: Caller, signal: AbortSignal): Promise<void> {
  const { parts, timing } = caller
  const waitAfter = planRedials(timing)
  while (!signal.aborted) {
    const end = await dial(caller, signal)
    if (signal.aborted) break
    if (end.error !== undefined) tellFailure(parts, end.error)
    await pauseFor(waitAfter(end), signal)
  }
  noteLink(parts.state, { state: 'stopped' })
}

async function dial(caller: Caller, signal: AbortSignal): Promise<DialEnd> {
  let openedAt: number | undefined
  const heldMs = () => (openedAt === undefined ? 0 : steady() - openedAt)
  try {
    const { isRestart } = await connectOnce(caller, signal, () => (openedAt = steady()))
    return { heldMs: heldMs(), isRestart }
  } catch (error) {
    return { error, heldMs: heldMs(), isRestart: false }
  }
}

function tellFailure({ state, log }: Caller['parts'], error: unknown): void {
  const why = isUntrusted(error)
    ? `The server could not prove that it is the one this host was enrolled with: ${sentenceOf(error)}.`
    : sentenceOf(error)
  if (waitsForApproval(error)) {
    // It asks again and again, and says so once.
    if (readLinkStatus(state)?.state !== 'waiting') log.warn({ why }, 'waiting until this host is let in')
    return noteLink(state, { state: 'waiting', why })
  }
  noteLink(state, { state: isRefusal(error) ? 'refused' : 'connecting', why })
  if (isUntrusted(error)) log.error({ why }, 'the server is not trusted; nothing is told to it')
  else if (isRefusal(error))
    log.error({ why }, 'the server refuses this agent; its facts are kept, and it keeps asking')
  else log.warn({ why }, 'no connection to the server')
}

/** Proves the first of the host's keys that the server takes. */
async function proveAnyKey(
  { stateDir, enrolment }: Caller,
  { offer, way }: { offer: SessionOffer; way: Way },
  signal: AbortSignal,
): Promise<{ bearer: string; key: KeyObject }> {
  let refused: unknown
  for (const key of openKeys(stateDir)) {
    try {
      return { bearer: await proveSession({ enrolment, way }, key, offer, signal), key }
    } catch (error) {
      if (serverWord(error)?.refusal !== 'session_unproven') throw error
      refused ??= error
    }
  }
  throw refused
}

async function connectOnce(
  caller: Caller,
  signal: AbortSignal,
  onOpen: () => void,
): Promise<{ isRestart: boolean }> {
  const { stateDir, enrolment, parts, timing, log } = caller
  const { reserve } = parts.state
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(timing.handshake + timing.answer)])
  const offer = reserve.spend('all', () => offerSession(stateDir))
  const { link, key } = await dial()
  try {
    let look = () => {}
    const onRotateKey = () => {
      beginKeyChange(stateDir, log)
      look()
    }
    await speak({ ...parts, onRotateKey }, link, () => {
      confirm(offer.next)
      onOpen()
      look = followKey({ stateDir, timing, log }, link, key)
    })
  } finally {
    link.close('the session is over')
  }
  const why = String(link.closed.reason)
  if (!signal.aborted) {
    noteLink(parts.state, { state: 'connecting', why })
    log.warn({ why }, 'the link to the server is gone')
  }
  return { isRestart: link.isRestart() }

  /** Whatever happens, no connection stays behind but that of the link. */
  async function dial() {
    const way = wayTo(enrolment)
    try {
      const { bearer, key } = await proveAnyKey(caller, { offer, way }, inTime)
      reserve.spend('all', () => settleKey(stateDir, key))
      return { link: await openLink({ ...enrolment, bearer, timing, way }, signal), key }
    } finally {
      way.destroy()
    }
  }

  function confirm(session: string) {
    try {
      reserve.spend('all', () => confirmSession(stateDir, session))
    } catch (error) {
      // The same session is offered again then, and the server knows it.
      log.warn({ err: error }, 'the session could not be written down')
    }
  }
}
