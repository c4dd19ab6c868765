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
const nobody = Promise.resolve()

/** Watches over one socket. `turnAway` hears why a frame was refused, or the peer given up. */
export const makeLink = (
  socket: WebSocket,
  limits: LinkLimits,
  turnAway: (reason: TurnedAwayReason) => void = () => {},
): Link => new SocketLink(socket, limits, turnAway)

/** A class, because there are thousands: the functions of each would weigh more than all it knows. */
class SocketLink implements Link {
  readonly #socket: WebSocket
  readonly #limits: LinkLimits
  readonly #turnAway: (reason: TurnedAwayReason) => void
  readonly #gone = new AbortController()
  #pending = 0
  #heardAt = performance.now()
  #pingedAt: number | undefined
  #fullSince: number | undefined
  /** Whether more may wait than is good: only then has anybody to look before it has been silent for long. */
  #isLoaded = false
  #hushed = false
  #leaving = false
  #lastInLine: Promise<void> = nobody
  #lastOnFloor: Promise<void> = nobody

  constructor(socket: WebSocket, limits: LinkLimits, turnAway: (reason: TurnedAwayReason) => void) {
    this.#socket = socket
    this.#limits = limits
    this.#turnAway = turnAway
    const heard = () => this.#heard()
    socket.on('message', heard)
    socket.on('ping', heard)
    socket.on('pong', heard)
    // A protocol error is the peer's; the socket closes by itself.
    socket.on('error', error => {
      const code = codeOf(error)
      if (code.startsWith('WS_ERR_')) turnAway(tooLarge.test(code) ? 'frame_too_large' : 'broken_frame')
    })
    socket.on('close', () => this.#gone.abort())
  }

  get closed() {
    return this.#gone.signal
  }

  room(): Promise<void> {
    return (this.#lastInLine = this.#lastInLine.then(() => this.#untilRoom()))
  }

  async floor(): Promise<Disposable> {
    const before = this.#lastOnFloor
    const said = Promise.withResolvers<void>()
    this.#lastOnFloor = before.then(() => said.promise)
    await before
    await this.room()
    return { [Symbol.dispose]: said.resolve }
  }

  read(data: unknown): unknown {
    if (this.#leaving) throw new Error('This connection is closing.')
    const frame = this.#parse(data)
    if (Array.isArray(frame) && frame.length > this.#limits.mostCalls)
      throw this.refused('too_many_calls', 'Too many calls in one frame.')
    return frame
  }

  began() {
    this.#pending += 1
    if (this.#pending >= this.#limits.mostPending) this.#readOrNot()
  }

  ended() {
    this.#pending -= 1
    if (this.#socket.isPaused) this.#readOrNot()
  }

  weigh(text: string) {
    const waiting = this.#socket.bufferedAmount
    const { roomBytes, mostBytes } = this.#limits
    // A character takes three bytes at most.
    if (waiting + 3 * text.length > roomBytes) this.#isLoaded = true
    if (waiting <= roomBytes) return
    if (waiting + Buffer.byteLength(text) > mostBytes) this.#giveUp()
    else this.#readOrNot()
  }

  refused(reason: TurnedAwayReason, sentence: string) {
    this.#turnAway(reason)
    return new Error(sentence)
  }

  pending() {
    return this.#pending
  }

  hush() {
    this.#hushed = true
    this.#readOrNot()
  }

  close(reason: CloseReason) {
    this.#leaving = true
    // The peer's farewell has to be read, or the socket stays half open.
    this.#socket.resume()
    this.#socket.close(closeCodes[reason], reason)
  }

  tick(now: number, stalledMs: number) {
    const { pingMs, pongMs } = this.#limits
    if (stalledMs > 0) this.#heardAt += stalledMs
    if (this.#pingedAt !== undefined) this.#pingedAt += stalledMs
    // Nearly all of thousands, and what a socket holds lies in many places of memory.
    else if (!this.#isLoaded && now - this.#heardAt <= pingMs) return
    if (this.#isLoaded && !this.#canGoOn(now, stalledMs)) return
    if (this.#pingedAt === undefined && now - this.#heardAt > pingMs) {
      this.#pingedAt = now
      this.#socket.ping()
    } else if (this.#pingedAt !== undefined && now - this.#pingedAt > pongMs) {
      this.#socket.terminate()
    }
  }

  /** Gives up a reader that takes nothing, reads on where there is room again, and answers whether the peer can be heard. */
  #canGoOn(now: number, stalledMs: number): boolean {
    const { roomBytes, mostBytes, mostWaitMs } = this.#limits
    const waiting = this.#socket.bufferedAmount
    this.#fullSince = waiting > roomBytes ? (this.#fullSince ?? now) + stalledMs : undefined
    const isLate = this.#fullSince !== undefined && now - this.#fullSince > mostWaitMs
    if (waiting > mostBytes || isLate) {
      this.#giveUp()
      return false
    }
    this.#readOrNot()
    this.#isLoaded = this.#socket.isPaused || waiting > roomBytes
    // Whoever is not read cannot be heard.
    return !this.#socket.isPaused
  }

  #heard() {
    this.#heardAt = performance.now()
    this.#pingedAt = undefined
    // What is answered without being weighed, as to a ping, adds up as well.
    if (this.#socket.bufferedAmount > this.#limits.roomBytes) this.#isLoaded = true
  }

  #readOrNot() {
    if (this.#leaving) return
    const { mostPending, roomBytes } = this.#limits
    const isBusy = this.#pending >= mostPending || this.#socket.bufferedAmount > roomBytes
    if (this.#hushed || isBusy) {
      this.#isLoaded = true
      this.#socket.pause()
    } else if (this.#socket.isPaused) {
      this.#socket.resume()
      this.#heard()
    }
  }

  #giveUp() {
    if (this.#leaving) return
    this.#turnAway('reader_too_slow')
    this.close('slow')
    this.#gone.abort()
  }

  #parse(data: unknown): unknown {
    if (typeof data !== 'string') throw this.refused('unreadable', 'Frames are text.')
    try {
      return JSON.parse(data)
    } catch (error) {
      this.#turnAway('unreadable')
      throw error
    }
  }

  async #untilRoom() {
    // A socket that broke takes everything at once. A writer that never waits would then never hear of its end.
    await turn()
    const { roomBytes, mostBytes, mostWaitMs } = this.#limits
    const deadline = performance.now() + mostWaitMs
    while (this.#socket.bufferedAmount > roomBytes && !this.#gone.signal.aborted) {
      if (this.#socket.bufferedAmount > mostBytes || performance.now() > deadline) return this.#giveUp()
      await sleep(20)
    }
  }
}
