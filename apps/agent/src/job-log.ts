// Cuts one job's log into numbered blocks. Never slows restic: what comes faster than may be kept becomes a gap.
import { encodeGap, encodeLine, type LogStream, type LogStreamBlock } from '@restic-manager/contract/log'
import { toInstant } from '@restic-manager/contract/scalars'
import { steady } from './timers.ts'

export type CutBlock = Omit<LogStreamBlock, 'jobId'>

export type JobLogLimits = {
  blockBytes: number
  flushMs: number
  /** Steady rate that goes to disk; the first `burstBytes` go there however fast they come. */
  bytesPerSecond: number
}

export type JobLog = {
  line(stream: LogStream, payload: string): void
  /** Everything that is left goes to disk. Returns the number of the last line that is there, −1 when none is. */
  end(): number
}

/** The head of a flood is kept as it came, and so is its tail; this much of each. */
const burstBytes = 4 * 1024 * 1024
const tailBytes = 1024 * 1024

/**
 * Starts the log of a job at line `firstSeq`. `keep` gets the blocks in order and writes them down; false means
 * that the disk did not take one, which then becomes a gap.
 */
export function startJobLog(
  limits: () => JobLogLimits,
  keep: (block: CutBlock) => boolean,
  firstSeq = 0,
): JobLog {
  let nextSeq = firstSeq
  let lines: string[] = []
  let bytes = 0
  let startedAt = 0
  let timer: NodeJS.Timeout | undefined
  let tokens = burstBytes
  let filledAt = steady()
  const tail: { block: CutBlock; bytes: number }[] = []
  let tailSize = 0
  let lost: { firstSeq: number; count: number; bytes: number; since: number } | undefined

  function refill() {
    const now = steady()
    tokens = Math.min(burstBytes, tokens + ((now - filledAt) / 1000) * limits().bytesPerSecond)
    filledAt = now
  }

  function lose({ block, bytes }: { block: CutBlock; bytes: number }) {
    lost ??= { firstSeq: block.firstSeq, count: 0, bytes: 0, since: Date.parse(block.startedAt) }
    lost.count += block.count
    lost.bytes += bytes
  }

  function flushTail(everything: boolean) {
    while ((everything || tokens > 0) && (lost !== undefined || tail.length > 0)) {
      if (lost !== undefined) {
        if (!keep(gapBlock(lost))) return
        lost = undefined
        continue
      }
      const oldest = takeOldest()
      tokens -= oldest.bytes
      if (!keep(oldest.block)) lose(oldest)
    }
  }

  function takeOldest() {
    const oldest = tail.shift() as (typeof tail)[number]
    tailSize -= oldest.bytes
    return oldest
  }

  function cut() {
    clearTimeout(timer)
    timer = undefined
    if (lines.length === 0) return
    const count = lines.length
    const block = { firstSeq: nextSeq, count, startedAt: toInstant(startedAt), block: lines.join('') }
    tail.push({ block, bytes })
    tailSize += bytes
    nextSeq += count
    lines = []
    bytes = 0
    refill()
    flushTail(false)
    while (tailSize > tailBytes) lose(takeOldest())
  }

  return {
    line(stream, payload) {
      const now = Date.now()
      if (lines.length === 0) startedAt = now
      const line = encodeLine(now - startedAt, stream, payload)
      const size = Buffer.byteLength(line)
      if (bytes + size > limits().blockBytes && lines.length > 0) {
        cut()
        startedAt = now
        lines.push(encodeLine(0, stream, payload))
      } else lines.push(line)
      bytes += size
      timer ??= setTimeout(cut, limits().flushMs)
    },
    end() {
      cut()
      flushTail(true)
      // What the disk did not take is not there to be sent.
      return (lost?.firstSeq ?? nextSeq) - 1
    },
  }
}

/** A block that is nothing but a gap. */
export function gapBlock(gap: {
  firstSeq: number
  count: number
  bytes: number
  since: number
  reason?: string
}): CutBlock {
  const reason = gap.reason ?? 'restic said more than can be kept'
  return {
    firstSeq: gap.firstSeq,
    count: gap.count,
    startedAt: toInstant(gap.since),
    block: encodeGap(0, { count: gap.count, bytes: gap.bytes, reason }),
  }
}
