// What a simulated agent remembers of its life, for whoever checks a run afterwards.
import type { JobFinished, JobHeader } from '@restic-manager/contract/job'
import type { LogStreamBlock } from '@restic-manager/contract/log'

/** A fact in the order it was written down. `answer` is the server's; `ackedAt` Unix milliseconds of the first ack. */
export type SimulatedFact = {
  name:
    | 'schedule.fire'
    | 'schedule.notRun'
    | 'command.result'
    | 'job.started'
    | 'job.finished'
    | 'snapshots.report'
  epoch: string
  message: { lane: 'first' | 'rest'; seq: number; occurredAt: string } & Record<string, unknown>
  ackedAt?: number
  answer?: unknown
  /** The server will never take it, and why. */
  setAside?: string
}

/** A job as the agent knows it. `starts`: how often its work began, and must never be more than once. */
export type SimulatedJob = {
  header: JobHeader
  state: 'accepted' | 'starting' | 'running' | 'ended' | 'refused'
  starts: number
  end?: Pick<JobFinished, 'status' | 'lastLogSeq' | 'reason'>
}

/** Everything a simulated agent did and saw, its crashes included. */
export type SimulatedRecord = {
  hostId: string
  hostname: string
  /** The epoch of its spool now. */
  epoch: string
  connected: boolean
  facts: SimulatedFact[]
  jobs: SimulatedJob[]
  /** Every block of every log as it was cut. `acked`: the server says it has it. */
  logs: { jobId: string; blocks: LogStreamBlock[]; acked: boolean }[]
  orders: { order: string; jobId?: string; at: number }[]
  /** Calls under an older session: how many were told, and how many of them the server answered with no. */
  oldSession: { told: number; refused: number }
  /** Calls under an older session that the server took, although a newer one had begun. */
  oldSessionTaken: { call: string; answer: unknown; at: number }[]
  /** A welcome said less than the server had acked before. */
  acksTakenBack: { lane: 'first' | 'rest'; acked: number; welcome: number; at: number }[]
  /** Answers and orders that are not in the form the contract describes. */
  misunderstood: { what: string; why: string }[]
}
