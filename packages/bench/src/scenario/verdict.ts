// Whether anything was lost: what the server lists against the agents' own books, and the checker of the fault tests on its database.
import { setTimeout as sleep } from 'node:timers/promises'
import { checkEvidence, whatIsNotQuiet } from '../checker/checker.ts'
import type { Evidence, Violation } from '../checker/evidence.ts'
import type { HostBook } from '../simulator/fleet-orders.ts'
import type { SimulatedFleet } from '../simulator/fleet.ts'
import type { Api } from '../../../../scripts/operator.ts'
import type { OwnServers } from './ground.ts'

/** Generous: what is not over by then never will be. */
const QUIET_MS = 60_000

/** How many hosts the server lists with another last job, or with other snapshots, than their own books. */
export async function countWrong(api: Api, books: readonly HostBook[]): Promise<number> {
  const left = new Map(books.map(book => [book.hostId, book]))
  let wrong = 0
  let cursor: string | undefined
  do {
    const page = await api.hosts.list.query({ limit: 200, ...(cursor === undefined ? {} : { cursor }) })
    for (const { id, lastJob, snapshotCount } of page.rows) {
      const book = left.get(id)
      if (book === undefined) continue
      left.delete(id)
      const isSame =
        lastJob?.id === book.lastJob?.jobId &&
        lastJob?.status === book.lastJob?.status &&
        snapshotCount === book.snapshots
      if (!isSame) wrong += 1
    }
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  return wrong + left.size
}

/** Everything that breaks I1 to I7 and I10 once all is quiet. Memory is measured, not judged: the limit of I9 is for a small fleet. */
export async function judgeFleet(
  { databaseUrl, ended }: OwnServers,
  fleet: SimulatedFleet,
  { since, signal }: { since: Date; signal: AbortSignal },
): Promise<Violation[]> {
  const gather = async (): Promise<Evidence> => {
    const simulated = await fleet.show()
    return {
      ...{ databaseUrl, simulated, connectedHostIds: simulated.map(({ hostId }) => hostId) },
      ...{ realAgents: [], ledgerFolders: [], outputs: [], exits: [], memory: [], secrets: [] },
      ...{ since, until: new Date() },
    }
  }
  const deadline = performance.now() + QUIET_MS
  let evidence = await gather()
  while (performance.now() < deadline && (await whatIsNotQuiet(evidence)).length > 0) {
    await sleep(1_000, undefined, { signal })
    evidence = await gather()
  }
  const own = ended().map(sentence => ({ sentence }))
  const died: Violation[] =
    own.length === 0
      ? []
      : [{ invariant: 'I10', sentence: 'A server ended, and nobody ended it.', rows: own }]
  return [...(await checkEvidence(evidence)), ...died]
}
