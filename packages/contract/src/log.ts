// Log blocks: many numbered lines as one text, immutable once cut. What was dropped is a line too: a gap.
import { z } from 'zod'
import { Id } from './ids.ts'
import { Instant, Sentence, text } from './scalars.ts'

/** Where a line came from. `event` is a parsed restic JSON message. */
export const LogStream = z.enum(['stdout', 'stderr', 'event'])
export type LogStream = z.infer<typeof LogStream>

/** The most bytes of UTF-8 a block's text may take. */
export const MAX_BLOCK_BYTES = 64 * 1024
/** The most bytes of UTF-8 one line's payload may take before it is cut. */
export const MAX_LINE_BYTES = 16 * 1024
/** The most lines a block may number. A gap may number far more than it has text. */
export const MAX_BLOCK_COUNT = 2_000_000_000

/** `log.stream`: lines `firstSeq` to `firstSeq + count − 1` of a job. Times in it count from `startedAt`. */
export const LogStreamBlock = z.object({
  jobId: Id,
  firstSeq: z.int().min(0),
  count: z.int().min(1).max(MAX_BLOCK_COUNT),
  startedAt: Instant,
  block: text(MAX_BLOCK_BYTES * 2),
})
export type LogStreamBlock = z.infer<typeof LogStreamBlock>

/** The server's answer: the number it expects next. Lower than what was sent: it kept nothing, send from there. */
export const LogAnswer = z.object({ nextSeq: z.int().min(0) })
export type LogAnswer = z.infer<typeof LogAnswer>

/** What a gap says: how many lines and bytes are not there, and why. */
export const LogGap = z.object({ count: z.int().min(1), bytes: z.int().min(0), reason: Sentence })
export type LogGap = z.infer<typeof LogGap>

/** A line of a job's log. `ts` is Unix milliseconds. */
export type LogLine = { seq: number; ts: number; stream: LogStream; payload: string }
/** Numbers `seq` to `seq + gap.count − 1` were dropped. */
export type LogGapLine = { seq: number; ts: number; gap: LogGap }
export type LogEntry = LogLine | LogGapLine

const letters = { stdout: 'o', stderr: 'e', event: 'v' } as const satisfies Record<LogStream, string>
const streams: Record<string, LogStream> = { o: 'stdout', e: 'stderr', v: 'event' }
const GAP = 'g'

const escapes: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n' }
const unescapes: Record<string, string> = { '\\\\': '\\', '\\t': '\t', '\\n': '\n' }
// Most lines hold nothing to escape, and there are millions of them.
const escape = (payload: string) =>
  /[\\\t\n]/.test(payload) ? payload.replace(/[\\\t\n]/g, char => escapes[char] as string) : payload
const unescape = (field: string) =>
  field.includes('\\') ? field.replace(/\\[\\tn]/g, pair => unescapes[pair] as string) : field

/** One line as it stands in a block, newline included. `sinceStartMs` counts from the block's `startedAt`. */
export function encodeLine(sinceStartMs: number, stream: LogStream, payload: string): string {
  return `${Math.max(0, Math.round(sinceStartMs))}\t${letters[stream]}\t${escape(payload)}\n`
}

/** A gap as it stands in a block, newline included. */
export function encodeGap(sinceStartMs: number, gap: LogGap): string {
  return `${Math.max(0, Math.round(sinceStartMs))}\t${GAP}\t${escape(JSON.stringify(gap))}\n`
}

/** The lines of a block. Throws a `SyntaxError` that says where when the text is not a block of `count` lines. */
export function decodeBlock(block: Omit<LogStreamBlock, 'jobId'>): LogEntry[] {
  const start = Date.parse(block.startedAt)
  const entries: LogEntry[] = []
  let seq = block.firstSeq
  for (const line of block.block.split('\n')) {
    if (line === '') continue
    const [ms, letter, ...rest] = line.split('\t')
    const field = rest[0]
    if (
      ms === undefined ||
      letter === undefined ||
      field === undefined ||
      rest.length > 1 ||
      !/^\d{1,15}$/.test(ms)
    )
      throw new SyntaxError(`log line ${seq} is not "milliseconds, stream letter, payload"`)
    const ts = start + Number(ms)
    if (letter === GAP) {
      const gap = LogGap.parse(JSON.parse(unescape(field)))
      entries.push({ seq, ts, gap })
      seq += gap.count
      continue
    }
    const stream = streams[letter]
    if (stream === undefined)
      throw new SyntaxError(`log line ${seq} has the unknown stream letter ${JSON.stringify(letter)}`)
    entries.push({ seq, ts, stream, payload: unescape(field) })
    seq += 1
  }
  if (seq !== block.firstSeq + block.count)
    throw new SyntaxError(`the block says ${block.count} lines and has ${seq - block.firstSeq}`)
  return entries
}

const plainLines = /^(?:\d{1,15}\t[oev]\t[^\t\n]*\n)+$/

/** Throws as `decodeBlock` does when the text is not a block of `count` lines. Cheaper where it holds no gap, as nearly all do. */
export function checkBlock(block: Omit<LogStreamBlock, 'jobId'>): void {
  const { block: text, count } = block
  if (plainLines.test(text) && countOf('\n', text) === count) return
  decodeBlock(block)
}

function countOf(char: string, text: string): number {
  let count = 0
  for (let at = text.indexOf(char); at !== -1; at = text.indexOf(char, at + 1)) count += 1
  return count
}
