// Keeps this host connected: proves the key, dials, works on the link until it is gone, waits, and starts over.
import type { KeyObject } from 'node:crypto'
import { startBackoff } from '@restic-manager/runtime/backoff'
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import { sentenceOf, serverWord } from './failure.ts'
import { confirmSession, type Enrolment } from './identity.ts'
import { proveSession } from './join.ts'
import { openLink, TurnedAway } from './link.ts'
import { noteLink } from './link-status.ts'
import { pauseFor } from './pause.ts'
import { speak, type SessionParts } from './session.ts'

export type Caller = {
  stateDir: string
  enrolment: Enrolment
  key: KeyObject
  parts: SessionParts
  timing: Timing
  log: Log
}

/** Dials again and again until `signal` aborts. Never rejects: what went wrong is in the log and in the status. */
export async function keepLinked(caller: Caller, signal: AbortSignal): Promise<void> {
  const { parts, timing, log } = caller
  const backoff = startBackoff({
    baseMs: timing.backoffBase,
    capMs: timing.backoffCap,
    resetMs: timing.backoffReset,
  })
  while (!signal.aborted) {
    let refused = false
    let openedAt: number | undefined
    try {
      await connectOnce(caller, signal, () => (openedAt = performance.now()))
    } catch (error) {
      refused = isRefusal(error)
      const why = sentenceOf(error)
      if (!signal.aborted) {
        noteLink(parts.state, { state: refused ? 'refused' : 'connecting', why })
        if (refused)
          log.error({ why }, 'the server refuses this agent; its facts are kept, and it keeps asking')
        else log.warn({ why }, 'no connection to the server')
      }
    }
    if (signal.aborted) break
    const heldMs = openedAt === undefined ? 0 : performance.now() - openedAt
    // Who is refused will most likely be refused again: no hurry.
    const waitMs = refused ? timing.backoffCap * (0.5 + Math.random() / 2) : backoff.next(heldMs)
    await pauseFor(waitMs, signal)
  }
  noteLink(parts.state, { state: 'stopped' })
}

async function connectOnce(caller: Caller, signal: AbortSignal, onOpen: () => void): Promise<void> {
  const { stateDir, enrolment, key, parts, timing, log } = caller
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(timing.handshake + timing.answer)])
  const { bearer, session } = await proveSession(stateDir, enrolment, key, inTime)
  const link = await openLink({ serverUrl: enrolment.serverUrl, bearer, timing }, signal)
  try {
    await speak(parts, link, () => {
      confirmSession(stateDir, session)
      onOpen()
    })
  } finally {
    link.close('the session is over')
  }
  const why = String(link.closed.reason)
  if (signal.aborted) return
  noteLink(parts.state, { state: 'connecting', why })
  log.warn({ why }, 'the link to the server is gone')
}

/** Whether the server has said that it does not want this agent as it is: dialling at once again would not help. */
function isRefusal(error: unknown): boolean {
  if (error instanceof TurnedAway) return error.status === 401 || error.status === 403
  const word = serverWord(error)
  return (
    word !== undefined &&
    ['UNAUTHORIZED', 'FORBIDDEN', 'NOT_FOUND', 'PRECONDITION_FAILED'].includes(word.code)
  )
}
