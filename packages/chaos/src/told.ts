// What operators were told must be so: an answer is a promise, also when it came from a server that died a moment later.
import type { Told } from './acts.ts'
import { connectToRead } from '@restic-manager/bench/checker/world'
import type { Violation } from '@restic-manager/bench/checker/evidence'

/** Answers that were given and are not true: jobs that are not there, or two for one request. */
export async function checkTold(databaseUrl: string, told: readonly Told[]): Promise<Violation[]> {
  const sql = connectToRead(databaseUrl)
  const rows = await sql<{ id: string }[]>`select id from jobs`.finally(() => sql.end({ timeout: 5 }))
  const there = new Set(rows.map(({ id }) => id))
  const missing = told.flatMap(({ by, jobIds }) =>
    jobIds.filter(jobId => !there.has(jobId)).map(jobId => ({ requestId: by, jobId })),
  )
  const answers = Map.groupBy(told, ({ by }) => by)
  const twice = [...answers]
    .map(([requestId, all]) => ({ requestId, jobs: [...new Set(all.map(({ jobIds }) => jobIds.join(' ')))] }))
    .filter(({ jobs }) => jobs.length > 1)
  return [
    ...violation('I2', 'An operator was told of a job that is not there.', missing),
    ...violation('I1', 'One request of an operator began two jobs.', twice),
  ]
}

function violation(invariant: Violation['invariant'], sentence: string, rows: unknown[]): Violation[] {
  return rows.length === 0 ? [] : [{ invariant, sentence, rows }]
}
