// Made-up lines of a log, as restic writes them when it is asked for every file, cut into blocks as agents cut them.
import { encodeLine, type LogStreamBlock, MAX_BLOCK_BYTES } from '@restic-manager/contract/log'

/** Characters of a line. */
export const lineLength = 120
const words = (
  'archive assets backup billing build cache clients contracts customers data drafts exports field graphics harbour ' +
  'images imports invoices journal kernel legal letters mail media minutes notes offers orders photos plans projects ' +
  'receipts reports samples scans statements tax templates uploads videos weekly'
).split(' ')
const actions = ['new      ', 'unchanged', 'modified ']

/** The same numbers each time: from 0 up to, but not, 1. */
export function makeShare(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** A line of 120 characters: a path of words that does not come again, a duration and a size. */
export function makeLine(share: () => number): string {
  const whole = (most: number) => Math.floor(share() * most)
  const pick = (from: readonly string[]) => from[whole(from.length)] ?? ''
  const took = `, saved in 0.${String(whole(1_000)).padStart(3, '0')}s (${(share() * 900).toFixed(3)} KiB added)`
  const file = `${whole(2 ** 31)}.pdf`
  let path = `${pick(actions)} /srv/${2_000 + whole(26)}`
  const room = lineLength - took.length - file.length - 1
  while (path.length < room) path += `/${pick(words)}`
  return `${path.slice(0, room)}/${file}${took}`
}

/** `lines` as blocks of one job, each full as an agent fills it. A line comes each millisecond. */
export function blocksOf(jobId: string, startedAt: string, lines: readonly string[]): LogStreamBlock[] {
  const blocks: LogStreamBlock[] = []
  let [text, firstSeq] = ['', 0]
  const cut = (seq: number) => {
    if (text !== '') blocks.push({ jobId, firstSeq, count: seq - firstSeq, startedAt, block: text })
    ;[text, firstSeq] = ['', seq]
  }
  for (const [seq, line] of lines.entries()) {
    const encoded = encodeLine(seq, 'stdout', line)
    if (text.length + encoded.length > MAX_BLOCK_BYTES) cut(seq)
    text += encoded
  }
  cut(lines.length)
  return blocks
}
