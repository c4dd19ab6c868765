// What agents hold in their own books, real and simulated ones in one form. Real ones are read from their state directories.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { SimulatedRecord } from '../simulator/record.ts'
import type { Evidence, RealAgentEvidence } from './evidence.ts'

/** A fact as its agent holds it. `acked`: the server has said that it is committed. */
export type BookFact = {
  name: string
  epoch: string
  lane: 'first' | 'rest'
  seq: number
  acked: boolean
  /** When it was written down, by its agent's clock. */
  writtenAt: number
  setAside: string | null
  message: Record<string, unknown>
}

/** A job as its agent holds it. `starts`: how often its work began, where the agent itself knows. */
export type BookJob = { jobId: string; state: string; status: string | null; starts: number | undefined }

export type AgentBook = {
  hostId: string
  /** The epoch of its spool now. */
  epoch: string
  facts: BookFact[]
  jobs: BookJob[]
  /** Bytes of log that wait to be sent. */
  logBytes: number
  simulated: SimulatedRecord | undefined
}

/** All books of a run. */
export function readBooks({ realAgents, simulated }: Evidence): AgentBook[] {
  return [...realAgents.map(readReal), ...simulated.map(readSimulated)]
}

function readReal({ hostId, stateDir }: RealAgentEvidence): AgentBook {
  const state = open(join(stateDir, 'state.db'))
  try {
    const epoch = String(state.prepare(`select value from meta where name = 'spoolEpoch'`).get()?.value)
    return {
      hostId,
      epoch,
      facts: state
        .prepare(
          'select lane, seq, name, payload, created_at, acked_at, set_aside from facts order by lane, seq',
        )
        .all()
        .map(row => ({
          name: String(row.name),
          epoch,
          lane: row.lane as BookFact['lane'],
          seq: Number(row.seq),
          acked: row.acked_at !== null,
          writtenAt: Number(row.created_at),
          setAside: row.set_aside === null ? null : String(row.set_aside),
          message: JSON.parse(String(row.payload)) as Record<string, unknown>,
        })),
      jobs: state
        .prepare('select id, state, status from jobs order by place')
        .all()
        .map(row => ({
          jobId: String(row.id),
          state: String(row.state),
          status: row.status === null ? null : String(row.status),
          starts: undefined,
        })),
      logBytes: readLogBytes(join(stateDir, 'logs.db')),
      simulated: undefined,
    }
  } finally {
    state.close()
  }
}

function readLogBytes(path: string): number {
  if (!existsSync(path)) return 0
  const logs = open(path)
  try {
    return Number(logs.prepare('select coalesce(sum(bytes), 0) as bytes from blocks').get()?.bytes)
  } finally {
    logs.close()
  }
}

const open = (path: string) => new DatabaseSync(path, { readOnly: true, timeout: 5_000 })

function readSimulated(record: SimulatedRecord): AgentBook {
  return {
    hostId: record.hostId,
    epoch: record.epoch,
    facts: record.facts.map(({ name, epoch, message, ackedAt, setAside }) => ({
      name,
      epoch,
      lane: message.lane,
      seq: message.seq,
      acked: ackedAt !== undefined,
      writtenAt: Date.parse(message.occurredAt),
      setAside: setAside ?? null,
      message,
    })),
    jobs: record.jobs.map(({ header, state, starts, end }) => ({
      jobId: header.jobId,
      state,
      status: end?.status ?? null,
      starts,
    })),
    logBytes: record.logs
      .filter(log => !log.acked)
      .reduce((sum, { blocks }) => sum + blocks.reduce((bytes, { block }) => bytes + block.length, 0), 0),
    simulated: record,
  }
}
