// What a benchmark says at its end: ours, the limit measured beside it in the same run, and whether the goal is met.
import os from 'node:os'

/** One figure. `ratio` is ours over the limit where both are the same thing. */
export type Figure = {
  name: string
  unit: string
  ours: number
  limit: number
  ratio: number
  goal: number
  ok: boolean
}

/** The middle value; of an even count the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}

/** Rounds to three significant places, so that nobody reads noise as a figure. */
export const rounded = (value: number): number => Number(value.toPrecision(3))

/** The machine and the versions a figure belongs to. */
export function machine() {
  const [cpu] = os.cpus()
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    platform: `${os.platform()} ${os.release()}`,
    node: process.versions.node,
  }
}
