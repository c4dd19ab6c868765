// How a simulated agent is asked for, and what can be done to it.
import type { Timing } from '@restic-manager/contract/timing'
import type { JobHeader } from '@restic-manager/contract/job'
import type { SimulatedRecord } from './record.ts'

/** Answers a number from 0 to below 1, the same row of numbers for the same seed. */
export type Random = () => number

/** How a simulated host behaves. Chances are from 0 to 1; what is left out has a quiet default. */
export type SimulatedBehaviour = {
  /** The shortest and longest a job works. */
  workMs?: { least: number; most: number }
  /** How its jobs end when nothing stops them: the rest succeeds. */
  failing?: number
  incomplete?: number
  /** Lines of log a job writes at most. */
  logLines?: number
  /** A fact that was acked is sent once more, as if the ack had been lost. */
  repeatsFacts?: number
  /** A log block is sent twice, or a later one first. */
  repeatsBlocks?: number
  swapsBlocks?: number
  /** A slot that came due is asked about twice at once. */
  firesTwice?: number
  /** The agent dies between two steps and starts again. */
  crashes?: number
  /** After a new session has begun, the old socket goes on and tells what is not true. */
  speaksInOldSession?: number
}

/** What happens to its connection. `in`: hello was answered, and both subscriptions have spoken. `turnedAway`: told to come again. */
export type LinkEvent = 'dialled' | 'turnedAway' | 'failed' | 'in' | 'out'

export type SimulatedAgentOptions = {
  /** Where it dials: the server, a balancer or a proxy of its own. */
  url: string
  /** The address it comes from, if it is to have one of its own. */
  localAddress?: string
  /** An enrolment token with a use left. */
  token: string
  hostname: string
  random: Random
  timing?: Partial<Timing>
  behaviour?: SimulatedBehaviour
  onLink?: (event: LinkEvent) => void
}

export type SimulatedAgent = AsyncDisposable & {
  readonly hostId: string
  readonly hostname: string
  record(): SimulatedRecord
  /** What it has been given and what it still has to do, cheaply. */
  standing(): { planned: number; jobs: number; openJobs: number; waitingFacts: number; unsentLogs: number }
  /** Whether everything it has to tell is told and acked, and nothing runs. */
  isQuiet(): boolean
  /** Behaves like this from now on: a run that wants quiet takes the harms away. */
  behave(behaviour: SimulatedBehaviour): void
  /** Ends its link without a word and does not dial again before `reconnect`. */
  cutOff(): void
  reconnect(): void
  /** Begins a job that nobody ordered, as a slot does while the link is down. */
  runAlone(header: JobHeader): void
  /** Dies and starts at once: what is on its disk stays, what it was doing is gone. */
  crash(): void
  /** Ends its work and its link. Nothing of it is left in this process. */
  stop(): Promise<void>
}
