// One accepted WebSocket: what it may send, how much may wait for it, whether its peer is still there.
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import type { TurnedAwayReason } from '../fleet/turned-away.ts'

/** Why a socket was closed, as the close code says it. */
export const closeCodes = { restart: 1012, slow: 1013, signedOut: 4401, shut: 4403, fenced: 4409 } as const
export type CloseReason = keyof typeof closeCodes

export type LinkLimits = {
  /** More than this waiting: writers wait and nothing more is read. */
  roomBytes: number
  /** More than this waiting, or waiting this long: the reader is given up. */
  mostBytes: number
  mostWaitMs: number
  /** Calls without an answer: beyond it nothing more is read. */
  mostPending: number
  mostSubscriptions: number
  /** Calls in one frame. */
  mostCalls: number
  pingMs: number
  pongMs: number
}

export type Link = {
  /** Aborted when the socket is closed or given up. */
  closed: AbortSignal
  /**
   * Waits until more may be said, and at least one turn of the event loop: look at `closed` afterwards. Whoever waits is let on one
   * after another, so that what the one before said counts.
   */
  room(): Promise<void>
  /** The same for values too large for many to be held at once: to be taken before such a value is read, and given back once it is said. */
  floor(): Promise<Disposable>
  /** What a frame says. Throws for one that is refused: no text, no JSON, too many calls in it, or the connection is closing. */
  read(data: unknown): unknown
  /** A call came. Nothing more is read while too many have no answer yet. */
  began(): void
  ended(): void
  /** To be asked before a text is said. Answers wait for nobody: who asks for much at once and reads none of it is given up before it is queued. */
  weigh(text: string): void
  /** The refusal of a frame, which is counted. */
  refused(reason: TurnedAwayReason, sentence: string): Error
  /** Calls that still run. */
  pending(): number
  /** Reads nothing more, for good. */
  hush(): void
  close(reason: CloseReason): void
  /** To be called regularly: pings, gives up, reads on. `stalledMs` is how long our own event loop slept. */
  tick(now: number, stalledMs: number): void
}

/** What ws says of a frame that is too large, or in too many pieces. */
const tooLarge = /^WS_ERR_(UNSUPPORTED_MESSAGE_LENGTH|TOO_MANY_BUFFERED_PARTS)$/
const codeOf = (error: Error) => ('code' in error ? String(error.code) : '')

/** Watches over one socket. `turnAway` hears why a frame was refused, or the peer given up. */
export function makeLink(
  socket: WebSocket,
  limits: LinkLimits,
  turnAway: (reason: TurnedAwayReason) => void = () => {},
): Link {
  const gone = new AbortController()
  let pending = 0
  let heardAt = performance.now()
  let pingedAt: number | undefined
  let fullSince: number | undefined
  let hushed = false
  let leaving = false

  const heard = () => {
    heardAt = performance.now()
    pingedAt = undefined
  }
  socket.on('message', heard)
  socket.on('ping', heard)
  socket.on('pong', heard)
  // A protocol error is the peer's; the socket closes by itself.
  socket.on('error', error => {
    const code = codeOf(error)
    if (code.startsWith('WS_ERR_')) turnAway(tooLarge.test(code) ? 'frame_too_large' : 'broken_frame')
  })
  socket.once('close', () => gone.abort())

  const isBusy = () => pending >= limits.mostPending || socket.bufferedAmount > limits.roomBytes
  const readOrNot = () => {
    if (leaving) return
    if (hushed || isBusy()) socket.pause()
    else if (socket.isPaused) {
      socket.resume()
      heard()
    }
  }

  function giveUp() {
    if (leaving) return
    turnAway('reader_too_slow')
    close('slow')
    gone.abort()
  }

  function refused(reason: TurnedAwayReason, sentence: string) {
    turnAway(reason)
    return new Error(sentence)
  }

  function parse(data: unknown): unknown {
    if (typeof data !== 'string') throw refused('unreadable', 'Frames are text.')
    try {
      return JSON.parse(data)
    } catch (error) {
      turnAway('unreadable')
      throw error
    }
  }

  function close(reason: CloseReason) {
    leaving = true
    // The peer's farewell has to be read, or the socket stays half open.
    socket.resume()
    socket.close(closeCodes[reason], reason)
  }

  let lastInLine: Promise<void> = Promise.resolve()
  let lastOnFloor: Promise<void> = Promise.resolve()

  const room = () => (lastInLine = lastInLine.then(untilRoom))

  async function untilRoom() {
    // A socket that broke takes everything at once. A writer that never waits would then never hear of its end.
    await turn()
    const deadline = performance.now() + limits.mostWaitMs
    while (socket.bufferedAmount > limits.roomBytes && !gone.signal.aborted) {
      if (socket.bufferedAmount > limits.mostBytes || performance.now() > deadline) return giveUp()
      await sleep(20)
    }
  }

  return {
    closed: gone.signal,
    room,
    async floor() {
      const before = lastOnFloor
      const said = Promise.withResolvers<void>()
      lastOnFloor = before.then(() => said.promise)
      await before
      await room()
      return { [Symbol.dispose]: said.resolve }
    },
    read(data) {
      if (leaving) throw new Error('This connection is closing.')
      const frame = parse(data)
      if (Array.isArray(frame) && frame.length > limits.mostCalls)
        throw refused('too_many_calls', 'Too many calls in one frame.')
      return frame
    },
    began() {
      pending += 1
      if (pending >= limits.mostPending) readOrNot()
    },
    ended() {
      pending -= 1
      if (socket.isPaused) readOrNot()
    },
    weigh(text) {
      const waiting = socket.bufferedAmount
      if (waiting <= limits.roomBytes) return
      if (waiting + Buffer.byteLength(text) > limits.mostBytes) giveUp()
      else readOrNot()
    },
    refused,
    pending: () => pending,
    hush() {
      hushed = true
      readOrNot()
    },
    close,
    tick(now, stalledMs) {
      heardAt += stalledMs
      if (pingedAt !== undefined) pingedAt += stalledMs
      const isFull = socket.bufferedAmount > limits.roomBytes
      fullSince = isFull ? (fullSince ?? now) + stalledMs : undefined
      if (socket.bufferedAmount > limits.mostBytes) return giveUp()
      if (fullSince !== undefined && now - fullSince > limits.mostWaitMs) return giveUp()
      readOrNot()
      // Whoever is not read cannot be heard.
      if (socket.isPaused) return
      if (pingedAt === undefined && now - heardAt > limits.pingMs) {
        pingedAt = now
        socket.ping()
      } else if (pingedAt !== undefined && now - pingedAt > limits.pongMs) {
        socket.terminate()
      }
    },
  }
}
