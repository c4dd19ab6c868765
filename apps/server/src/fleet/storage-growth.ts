// How much the repositories hold and how fast that grows, from their sizes by day.
import { and, eq, inArray, sql } from 'drizzle-orm'
import type { Overview, RepositorySizes, SizeOfDay as Size } from '@restic-manager/contract/overview'
import { Refusal } from '@restic-manager/contract/refusal'
import type { Db } from '../db/open.ts'
import { repositoryDays } from '../db/schema-outcomes.ts'
import { repositories } from '../db/schema.ts'
import { repositoriesIn, type Scope } from './scope.ts'

const DAYS = 90
const CHANGE_DAYS = 30
const MOST_ROWS = 10
const MOST_POINTS = 30
const DAY_MS = 86_400_000

const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10)

/** Sizes of the repositories of the scope: the largest in rows, all of them in the sums. */
export async function storageGrowth(db: Db, scope: Scope, now: Date): Promise<Overview['storage']> {
  const found = await db
    .select({
      id: repositories.id,
      name: repositories.name,
      kind: repositories.kind,
      sizeBytes: repositories.sizeBytes,
      dedupRatio: sql<number | null>`${repositories.dedupRatio}::float8 / 1000`,
      statsAt: repositories.statsAt,
      storageFull: sql<boolean>`exists (select 1 from standings where standings.repository_id = repositories.id
        and standings.kind = 'backup' and standings.status = 'failed' and standings.reason = 'storage_full')`,
    })
    .from(repositories)
    .where(repositoriesIn(scope))
    .orderBy(sql`${repositories.sizeBytes} desc nulls last`, repositories.name)
  const ids = found.map(({ id }) => id)
  const sizes = ids.length === 0 ? [] : await sizesOf(db, ids, dayOf(now.getTime() - DAYS * DAY_MS))
  const byRepository = Map.groupBy(sizes, ({ repositoryId }) => repositoryId)
  const rows = found.map(row => {
    const of = byRepository.get(row.id) ?? []
    return Object.assign(row, { change30d: changeOf(of, row.sizeBytes, now), trend: thinned(of) })
  })
  return {
    repositoryCount: rows.length,
    sizeBytes: rows.reduce((sum, row) => sum + (row.sizeBytes ?? 0), 0),
    change30d: rows.reduce((sum, row) => sum + (row.change30d ?? 0), 0),
    trend: totalTrend([...byRepository.values()], now),
    rows: rows.slice(0, MOST_ROWS),
  }
}

/** How large one repository was, day by day. Throws `repository_not_found`. */
export async function sizesOfRepository(
  db: Db,
  { repositoryId, days }: { repositoryId: string; days: number },
  now = new Date(),
): Promise<RepositorySizes> {
  const back = (count: number) => dayOf(now.getTime() - count * DAY_MS)
  const [[repository], sizes] = await Promise.all([
    db
      .select({ sizeBytes: repositories.sizeBytes })
      .from(repositories)
      .where(eq(repositories.id, repositoryId)),
    sizesOf(db, [repositoryId], back(Math.max(days, DAYS))),
  ])
  if (repository === undefined) throw new Refusal('repository_not_found', 'There is no such repository.')
  return {
    points: sizes.filter(({ day }) => day > back(days)).map(({ day, sizeBytes }) => ({ day, sizeBytes })),
    change30d: changeOf(sizes, repository.sizeBytes, now),
  }
}

const sizesOf = (db: Db, ids: string[], since: string) =>
  db
    .select()
    .from(repositoryDays)
    .where(and(inArray(repositoryDays.repositoryId, ids), sql`${repositoryDays.day} >= ${since}::date`))
    .orderBy(repositoryDays.repositoryId, repositoryDays.day)

/** Against the last figure that is 30 days old or older; of a younger repository against its first. */
function changeOf(sizes: readonly Size[], nowBytes: number | null, now: Date): number | null {
  const before = dayOf(now.getTime() - CHANGE_DAYS * DAY_MS)
  const base = sizes.findLast(({ day }) => day <= before) ?? sizes[0]
  return base === undefined || nowBytes === null ? null : nowBytes - base.sizeBytes
}

/** At most 30 points, the newest among them. */
function thinned(sizes: readonly Size[]): Size[] {
  const every = Math.ceil(sizes.length / MOST_POINTS)
  return sizes
    .filter((_, index) => (sizes.length - 1 - index) % every === 0)
    .map(({ day, sizeBytes }) => ({ day, sizeBytes }))
}

/** The sum by day, each repository at its last known size. */
function totalTrend(all: readonly (readonly Size[])[], now: Date): Size[] {
  const today = now.getTime()
  const days = Array.from({ length: DAYS }, (_, back) => dayOf(today - (DAYS - 1 - back) * DAY_MS))
  const totals = new Map(days.map(day => [day, 0]))
  for (const sizes of all) {
    let at = 0
    let last = 0
    for (const day of days) {
      for (let next = sizes[at]; next !== undefined && next.day <= day; next = sizes[at]) {
        last = next.sizeBytes
        at += 1
      }
      totals.set(day, (totals.get(day) ?? 0) + last)
    }
  }
  const trend = [...totals].map(([day, sizeBytes]) => ({ day, sizeBytes }))
  const first = trend.findIndex(({ sizeBytes }) => sizeBytes > 0)
  return first === -1 ? [] : trend.slice(first)
}
