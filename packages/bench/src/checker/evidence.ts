// What a run leaves behind for the checker to read: where the records lie, and what was seen while it went on.
import type { SimulatedRecord } from '../simulator/record.ts'

/** The spool of a real agent is read from its state directory. It may run meanwhile. */
export type RealAgentEvidence = { hostId: string; stateDir: string }

/** What a program wrote to its standard output and error, all of its lives one after another. */
export type ProcessOutput = { name: string; text: string }

/** How a program came to its end. `caused`: the run itself ended it, by a signal or by what it made it do. */
export type ProcessExit = {
  name: string
  code: number | null
  signal: NodeJS.Signals | null
  at: Date
  caused: boolean
}

/** Resident memory of one life of a program over time. */
export type MemorySamples = { name: string; samples: { at: number; rssBytes: number }[] }

/** Something that must never be readable outside its place: a repository's password, a token, a key. */
export type Secret = { name: string; value: string }

/** Everything the checker asks. What a run had nothing of is an empty list. */
export type Evidence = {
  /** The records of all servers, as the owner of the tables. */
  databaseUrl: string
  realAgents: RealAgentEvidence[]
  /** Each folder that was given to `fakeRestic`, with `ledger.ndjson` in it. */
  ledgerFolders: string[]
  simulated: SimulatedRecord[]
  /** Hosts whose agent is connected now: each must be shown as online, and know its jobs. */
  connectedHostIds: string[]
  outputs: ProcessOutput[]
  exits: ProcessExit[]
  memory: MemorySamples[]
  secrets: Secret[]
  /** An older dump was put back: acks that were taken back are no loss, and the watch saw less than everything. */
  restoredFromDump?: boolean
  since: Date
  until: Date
}

/** The ten promises that are asked. */
export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9' | 'I10'

/** A promise that was broken: which, one sentence, and the rows that show it. */
export type Violation = { invariant: Invariant; sentence: string; rows: unknown[] }
