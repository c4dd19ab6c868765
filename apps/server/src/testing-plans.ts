// For tests and benchmarks only: which statements a read asks, and how the database finds their rows.
import { drizzle } from 'drizzle-orm/postgres-js'
import { connect, type Db } from './db/open.ts'

/** Tables that grow as long as the server runs, whatever the size of the fleet. Of logs each day is a table of its own. */
const growing =
  /^(?:jobs|snapshots|log_blocks(?:_\d+)?|audit_events|audit_event_hosts|agent_sessions|alerts|host_days|repository_days)$/

/** A table of fewer pages is read from end to end because that is least work, whatever indexes there are. */
const fewBlocks = 50

/**
 * `scanned`: growing tables that are read from end to end. `joined`: tables that stand in a join and not in an inner query of their own.
 * `blocks`: pages of 8 kB that were looked at.
 */
export type PlanOf = {
  statement: string
  scanned: string[]
  joined: string[]
  blocks: number
  ms: number
  plan: Node
}

export type PlanReader = AsyncDisposable & {
  /** What `read` asks, each statement with its plan and what it took when asked once more. All of it is undone. */
  plansOf(read: (db: Db) => Promise<unknown>): Promise<PlanOf[]>
}

type Node = {
  'Node Type': string
  'Relation Name'?: string
  'Shared Hit Blocks'?: number
  'Shared Read Blocks'?: number
  'Actual Total Time'?: number
  'Parent Relationship'?: string
  Plans?: Node[]
}
type Asked = { query: string; params: unknown[] }

/** A connection of its own to the database at `url`. */
export function openPlanReader(url: string): PlanReader {
  const client = connect(url, { max: 1 })
  const asked: Asked[] = []
  const logger = { logQuery: (query: string, params: unknown[]) => void asked.push({ query, params }) }
  const db = drizzle(client, { logger }) as unknown as Db
  return {
    async plansOf(read) {
      asked.length = 0
      await client.unsafe('begin')
      try {
        await read(db)
        const plans: PlanOf[] = []
        for (const { query, params } of asked.splice(0)) {
          const [row] = await client.unsafe(
            `explain (analyze, buffers, format json) ${query}`,
            params as never[],
          )
          const [{ Plan: plan }] = (row as Record<string, unknown>)['QUERY PLAN'] as [{ Plan: Node }]
          plans.push({
            ...{
              statement: query,
              scanned: [...new Set(scannedIn(plan))],
              joined: [...new Set(joinedIn(plan))],
              ms: plan['Actual Total Time'] ?? 0,
            },
            blocks: blocksOf(plan),
            plan,
          })
        }
        return plans
      } finally {
        await client.unsafe('rollback')
      }
    },
    [Symbol.asyncDispose]: () => client.end({ timeout: 5 }),
  }
}

const blocksOf = (node: Node) => (node['Shared Hit Blocks'] ?? 0) + (node['Shared Read Blocks'] ?? 0)

function joinedIn(node: Node): string[] {
  const names = (node.Plans ?? []).flatMap(joinedIn)
  if (!/Join|Nested Loop/.test(node['Node Type'])) return names
  const sides = (node.Plans ?? []).filter(inner => /Inner|Outer/.test(inner['Parent Relationship'] ?? ''))
  return [...names, ...sides.flatMap(side => side['Relation Name'] ?? [])]
}

function scannedIn(node: Node): string[] {
  const below = (node.Plans ?? []).flatMap(scannedIn)
  const name = node['Relation Name']
  // What its inner queries look at is counted to it as well.
  const blocks = (node.Plans ?? []).reduce((left, inner) => left - blocksOf(inner), blocksOf(node))
  return node['Node Type'] === 'Seq Scan' && name !== undefined && growing.test(name) && blocks >= fewBlocks
    ? [name, ...below]
    : below
}
