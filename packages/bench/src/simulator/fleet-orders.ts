// What is said between a fleet and the processes its agents live in.
import type { Timing } from '@restic-manager/contract/timing'
import type { SimulatedBehaviour } from './agent-options.ts'
import type { SimulatedRecord } from './record.ts'

/** Of several `urls` each connection goes to one. `localAddress` undefined: from wherever the system says. `everyMs`: no two are let in closer to each other. */
export type FleetJoin = {
  urls: readonly string[]
  everyMs: number
  timing: Partial<Timing>
  behaviour: SimulatedBehaviour
  hosts: { hostname: string; token: string; localAddress: string | undefined }[]
}

/** Each order is answered by one message. */
export type FleetOrder =
  | ({ do: 'join' } & FleetJoin)
  /** Each host runs one backup that nobody ordered, within `spreadMs`, into the repository it has by its place in the list. */
  | { do: 'work'; repositoryIds: string[]; spreadMs: number }
  /** What is counted of dials begins anew. */
  | { do: 'countAnew' }
  /** All end their links without a word, and dial no more before `reconnect`. */
  | { do: 'cutOff' }
  | { do: 'reconnect' }
  | { do: 'look' }
  | { do: 'tell' }
  /** The whole books of some, for the checker. */
  | { do: 'show'; from: number; most: number }

/** How the agents of a process stand now. `in`: how many are connected and have heard everything; `planned`: schedules they hold. */
export type FleetStanding = {
  in: number
  planned: number
  jobs: number
  openJobs: number
  waitingFacts: number
  unsentLogs: number
  dials: number
  mostDials: number
  turnedAway: number
  failed: number
}

/** How a host stands by its own books. */
export type HostBook = {
  hostId: string
  /** The job that ended last, if any. */
  lastJob: { jobId: string; status: string } | undefined
  snapshots: number
  /** When it came in last, in Unix milliseconds. */
  inAt: number
}

/** What became of everything, by the agents' own books. */
export type FleetBooks = {
  facts: number
  acked: number
  setAside: number
  /** What the server said that the contract does not know. */
  misunderstood: number
  jobs: number
  ended: Record<string, number>
  logs: { jobs: number; blocks: number; lines: number; unsent: number }
  /** Milliseconds from when a fact was written down until it was acked, by its name; and from a slot until its job began. */
  waits: Record<string, number[]>
  hosts: HostBook[]
}

export type FleetAnswer = FleetStanding | FleetBooks | SimulatedRecord[]
