// What happened in a run, in numbers: a run in which little happened proves little.
import { connectToRead } from '@restic-manager/bench/checker/world'
import type { Evidence } from '@restic-manager/bench/checker/evidence'

export type Counts = {
  jobs: number
  /** Of them by how they ended. */
  ended: Record<string, number>
  /** Acked facts, of all spools. */
  facts: number
  logBlocks: number
  logLines: number
  /** Slots that have an outcome; a range of slots counts each. */
  slots: number
  /** Orders that hosts took on. */
  ordersGiven: number
  /** Sessions that were proven: connections of agents, all in all. */
  sessions: number
  /** Lives of servers and agents. */
  starts: number
}

type Row = Omit<Counts, 'starts'>

/** Reads the numbers of a run from its records. */
export async function countWhatWas({ databaseUrl, memory }: Evidence): Promise<Counts> {
  const sql = connectToRead(databaseUrl)
  try {
    const [row] = await sql<[Row]>`select
      (select count(*) from jobs)::int as jobs,
      (select jsonb_object_agg(status, n) from (select status, count(*)::int as n from jobs group by status) each) as ended,
      (select coalesce(sum(acked_first + acked_rest), 0) from spools)::int as facts,
      (select count(*) from log_blocks)::int as "logBlocks",
      (select coalesce(sum(next_log_seq), 0) from jobs)::int as "logLines",
      (select coalesce(sum(slot_count), 0) from jobs where scheduled_for is not null and retry_of is null)::int as slots,
      (select count(*) from jobs where accepted_at is not null)::int as "ordersGiven",
      (select count(*) from agent_sessions)::int as sessions`
    return { ...row, starts: memory.length }
  } finally {
    await sql.end({ timeout: 5 })
  }
}
