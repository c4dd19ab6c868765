// How fast logs are taken in, all hosts together: a few blocks at a time, each host in turn, and only so much waits.
import { Refusal } from '@restic-manager/contract/refusal'

export type LogIntake = {
  /** Does `work` when it is the host's turn. Throws `too_many` when too much waits, or this for too long: the block is sent again. */
  take<T>(hostId: string, bytes: number, work: () => Promise<T>): Promise<T>
  /** How much of its logs a host that connects now may send, so that all who send share what this server takes in. */
  bytesPerSecond(): number
  /** What is being stored, and what waits for its turn. */
  load(): { running: number; waitingBytes: number }
}

const usual = {
  /** Blocks that are written at the same time. Most of the connections to the database are for facts. */
  atOnce: 4,
  /** Of one host, written or waiting: as many calls as its socket may leave open. Beyond that it is not even read. */
  ofOneHost: 8,
  mostWaitingBytes: 16 * 1024 * 1024,
  /** Well below what an agent waits for an answer: calls it has given up would fill its socket, until not even its pings are read. */
  mostWaitMs: 4_000,
  /** What is shared by all who sent something in the last minute. */
  bytesPerSecond: 16 * 1024 * 1024,
}
const mostBytesPerSecond = 1024 * 1024
const leastBytesPerSecond = 64 * 1024
const recentMs = 60_000

const tooMany = () =>
  new Refusal('too_many', 'Too many logs arrive at the moment. Send this block again in a while.')

type Waiting = { bytes: number; enter: () => void }

/** The intake of one server process. `now` is a clock in milliseconds that nobody sets. */
export function createLogIntake(wish: Partial<typeof usual> = {}, now = () => performance.now()): LogIntake {
  const limits = { ...usual, ...wish }
  /** Hosts that wait, in the order of their turns. */
  const queue = new Map<string, Waiting[]>()
  const inside = new Map<string, number>()
  const sentAt = new Map<string, number>()
  let running = 0
  let waitingBytes = 0

  function wait(hostId: string, bytes: number): Promise<void> {
    const own = queue.get(hostId) ?? []
    if (
      own.length + (inside.get(hostId) ?? 0) >= limits.ofOneHost ||
      waitingBytes + bytes > limits.mostWaitingBytes
    )
      throw tooMany()
    waitingBytes += bytes
    return new Promise((enter, turnAway) => {
      const late = setTimeout(() => {
        leave(hostId, mine)
        turnAway(tooMany())
      }, limits.mostWaitMs)
      late.unref()
      const mine: Waiting = {
        bytes,
        enter() {
          clearTimeout(late)
          enter()
        },
      }
      own.push(mine)
      queue.set(hostId, own)
    })
  }

  function leave(hostId: string, waiting: Waiting) {
    const left = (queue.get(hostId) ?? []).filter(each => each !== waiting)
    // Its turn stays where it was.
    if (left.length > 0) queue.set(hostId, left)
    else queue.delete(hostId)
    waitingBytes -= waiting.bytes
  }

  function admitNext() {
    const [turn] = queue
    if (turn === undefined) return
    const [hostId, own] = turn
    const next = own.shift() as Waiting
    // To the end of the line with what else it has.
    queue.delete(hostId)
    if (own.length > 0) queue.set(hostId, own)
    waitingBytes -= next.bytes
    begin(hostId)
    next.enter()
  }

  function begin(hostId: string) {
    running += 1
    inside.set(hostId, (inside.get(hostId) ?? 0) + 1)
  }

  function end(hostId: string) {
    running -= 1
    const left = (inside.get(hostId) ?? 1) - 1
    if (left > 0) inside.set(hostId, left)
    else inside.delete(hostId)
    admitNext()
  }

  return {
    async take(hostId, bytes, work) {
      sentAt.delete(hostId) // the newest last
      sentAt.set(hostId, now())
      if (running < limits.atOnce) begin(hostId)
      else await wait(hostId, bytes)
      try {
        return await work()
      } finally {
        end(hostId)
      }
    },
    load: () => ({ running, waitingBytes }),
    bytesPerSecond() {
      for (const [hostId, at] of sentAt)
        if (at < now() - recentMs) sentAt.delete(hostId)
        else break
      const share = Math.floor(limits.bytesPerSecond / (sentAt.size + 1))
      return Math.min(mostBytesPerSecond, Math.max(leastBytesPerSecond, share))
    },
  }
}
