// However long a server runs: no page, no subscription, no agent and nothing by the clock reads a growing table from end to end.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sql } from 'drizzle-orm'
import { seedFleet } from '../seed/seed-fleet.ts'
import { testDatabase, type TestDatabase } from '../testing-database.ts'
import { expiryStep, growLogs, growSnapshots, growthReads } from '../testing-growth.ts'
import { openPlanReader } from '../testing-plans.ts'
import { countOutcomes } from './outcomes.ts'
import { readPlans } from './plans.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
  const { db, seal } = database
  await seedFleet(db, seal, { hosts: 60, jobs: 30_000, days: 60, seed: 1, onlineHours: 24 })
  await growSnapshots(db, 30_000)
  await growLogs(db, 2_000_000)
  await countOutcomes(db)
  await readPlans(db)
  await db.execute(sql`analyze`)
})
afterAll(() => database.close())

test.each([
  ['everybody', undefined],
  ['who is limited to a tag', ['mail']],
])('every read for %s finds its rows by an index', async (_who, scope) => {
  const reads = await growthReads(database.db, database.seal, scope)
  await using reader = openPlanReader(database.url)
  const found: Record<string, { scanned: string[]; blocks: number; statement: string }[]> = {}
  for (const [name, read] of Object.entries(reads)) {
    const plans = await reader.plansOf(on => read(on, scope))
    const bad = plans.filter(({ scanned }) => scanned.length > 0)
    if (bad.length > 0)
      found[name] = bad.map(({ scanned, blocks, statement }) => ({
        scanned,
        blocks,
        statement: statement.slice(0, 300),
      }))
  }
  expect(found).toEqual({})
})

test('a step over old jobs looks at its own jobs and a few others of each', async () => {
  await using reader = openPlanReader(database.url)
  const [, plan] = await reader.plansOf(on => expiryStep(on, undefined))
  expect(plan?.scanned).toEqual([])
  // A look at its host for each job may be an index. A join may as well be all hosts for each job.
  expect(plan?.joined).toEqual(['jobs'])
  // 500 jobs, each looked up in five indexes, and with its log in 31 days when it goes.
  expect(plan?.blocks).toBeLessThan(500 * 100)
})
