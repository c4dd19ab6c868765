// One life of a simulated agent, from its start to its crash or stop: what is scheduled in it never happens after it.
import type { Timing } from '@restic-manager/contract/timing'
import type { Random, SimulatedBehaviour } from './agent-options.ts'
import type { Disk } from './disk.ts'
import type { SimulatedLink } from './link.ts'

export type Life = {
  readonly disk: Disk
  readonly random: Random
  readonly timing: Timing
  behaviour(): Required<SimulatedBehaviour>
  isOver(): boolean
  after(ms: number, work: () => void): () => void
  /** Between two steps that are each on disk: here an agent may die. */
  mayDie(): void
  /** The link on which hello was answered. */
  link(): SimulatedLink | undefined
  /** Since when there is none; undefined: there is one. */
  linkDownSince(): number | undefined
  /** There is something to send. */
  onFact(): void
  onLog(): void
  /** Jobs were begun or ended, an answer came, a plan changed: slots and jobs are to be looked at. */
  onChange(): void
}

/** Thrown where an agent dies. Whoever called into its life catches it. */
export class Died extends Error {}

/** A whole number from `least` to `most`. */
export const between = (random: Random, least: number, most: number) =>
  least + Math.floor(random() * (most - least + 1))
