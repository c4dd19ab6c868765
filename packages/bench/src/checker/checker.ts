// The checker: asks after a run, with faults or without, whether every promise of the product was kept.
import { checkFacts } from './facts.ts'
import { checkLogs } from './logs.ts'
import { checkOwners } from './owners.ts'
import { checkProcesses } from './processes.ts'
import { checkQuiet, listUnquiet } from './quiet.ts'
import { checkRuns } from './runs.ts'
import { checkSecrets } from './secrets.ts'
import { checkSlots } from './slots.ts'
import { checkStatuses } from './statuses.ts'
import { connectToRead, readWorld, type World } from './world.ts'
import type { Evidence, Violation } from './evidence.ts'

const checks = [
  checkRuns,
  checkFacts,
  checkStatuses,
  checkLogs,
  checkQuiet,
  checkSlots,
  checkOwners,
  checkSecrets,
  checkProcesses,
]

/**
 * Everything in the evidence that breaks a promise; empty: all were kept. Needs `watchDatabase` to have been called before
 * the run, and quiet after it.
 */
export async function checkEvidence(evidence: Evidence): Promise<Violation[]> {
  return withWorld(evidence, judge)
}

/** Everything in a world that was read that breaks a promise. */
export async function judge(world: World): Promise<Violation[]> {
  const found: Violation[] = []
  for (const check of checks) found.push(...(await check(world)))
  return found
}

/** What is not over yet; empty: quiet. May be asked again and again, also while the database is away (then it rejects). */
export async function whatIsNotQuiet(evidence: Evidence): Promise<Violation[]> {
  return withWorld(evidence, listUnquiet)
}

async function withWorld<T>(evidence: Evidence, ask: (world: World) => Promise<T>): Promise<T> {
  const sql = connectToRead(evidence.databaseUrl)
  try {
    return await ask(await readWorld(evidence, sql))
  } finally {
    await sql.end({ timeout: 5 })
  }
}
