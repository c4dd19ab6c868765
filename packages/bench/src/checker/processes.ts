// I9 and I10: memory stays bounded, nothing is thrown that nobody catches, and no program ends by itself.
import { shownBy, type Check } from './world.ts'
import type { MemorySamples } from './evidence.ts'

const MEBIBYTE = 1024 * 1024
/** The most a program may hold at any time. */
export const MOST_RSS_BYTES = 640 * MEBIBYTE
/** How much more it may hold at the end of its life than once it had warmed up. Garbage that waits to be collected is part of it. */
export const MOST_GROWTH_BYTES = 192 * MEBIBYTE
/** The first part of a life is for warming up; fewer samples than this say nothing about growth. */
const WARM_UP = 0.25
const FEWEST_SAMPLES = 12

/** A fetch that fails is a TypeError, and nobody's mistake. */
const harmless = /fetch failed/
const mistakes = /uncaught|unhandled|nobody caught|mistake of the agent|TypeError|ReferenceError|RangeError/i

export const checkProcesses: Check = ({ evidence }) => [
  ...shownBy('I9', 'A program took more memory than it may.', evidence.memory.flatMap(faultOfMemory)),
  ...shownBy(
    'I10',
    'A program met a mistake of its own.',
    evidence.outputs.flatMap(({ name, text }) => linesOf(name, text)),
  ),
  ...shownBy(
    'I10',
    'An agent was told something that the contract does not know.',
    evidence.simulated.flatMap(({ hostId, misunderstood }) =>
      misunderstood.map(({ what, why }) => ({ hostId, what, why })),
    ),
  ),
  ...shownBy(
    'I10',
    'A program ended, and nobody ended it.',
    evidence.exits.filter(({ caused }) => !caused),
  ),
]

const linesOf = (name: string, text: string) =>
  text
    .split('\n')
    .flatMap(line =>
      mistakes.test(line) && !harmless.test(line) ? { name, line: line.slice(0, 2_000) } : [],
    )

/** Growth is between medians: one sample is chance. */
function faultOfMemory({ name, samples }: MemorySamples): unknown[] {
  const bytes = samples.map(({ rssBytes }) => rssBytes)
  const peak = Math.max(0, ...bytes)
  if (peak > MOST_RSS_BYTES) return [{ name, peakBytes: peak, mostBytes: MOST_RSS_BYTES }]
  if (bytes.length < FEWEST_SAMPLES) return []
  const warm = bytes.slice(Math.floor(bytes.length * WARM_UP))
  const part = Math.max(1, Math.floor(warm.length / 4))
  const [before, after] = [median(warm.slice(0, part)), median(warm.slice(-part))]
  return after - before > MOST_GROWTH_BYTES
    ? [{ name, beforeBytes: before, afterBytes: after, mostGrowthBytes: MOST_GROWTH_BYTES }]
    : []
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
