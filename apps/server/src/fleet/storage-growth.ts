// How much the repositories hold and how fast that grows, from their sizes by day.
import { and, eq, inArray, type SQL, sql } from 'drizzle-orm'
import type { Overview, RepositorySizes, SizeOfDay as Size } from '@restic-manager/contract/overview'
import { Refusal } from '@restic-manager/contract/refusal'
import type { Db } from '../db/open.ts'
import { repositoryDays } from '../db/schema-outcomes.ts'
import { repositories } from '../db/schema.ts'
import { eachRepositoryIn, type Scope } from './scope.ts'

const DAYS = 90
const CHANGE_DAYS = 30
const MOST_ROWS = 10
const MOST_POINTS = 30
const DAY_MS = 86_400_000

const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10)

/** Sizes of the repositories of the scope: the largest in rows, all of them in the sums. */
export async function storageGrowth(db: Db, scope: Scope, now: Date): Promise<Overview['storage']> {
  const since = dayOf(now.getTime() - DAYS * DAY_MS)
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
      change30d: sql<number | null>`(${repositories.sizeBytes} - coalesce(
        ${sizeOn(sql`day >= ${since}::date and day <= ${dayOf(now.getTime() - CHANGE_DAYS * DAY_MS)}::date order by day desc`)},
        ${sizeOn(sql`day >= ${since}::date order by day`)}))::float8`,
    })
    .from(repositories)
    .where(eachRepositoryIn(scope))
    .orderBy(sql`${repositories.sizeBytes} desc nulls last`, repositories.name)
  const shown = found.slice(0, MOST_ROWS)
  const idsOf = (rows: typeof found) => rows.map(({ id }) => id)
  const [sizes, trend] = await Promise.all([
    sizesOf(db, idsOf(shown), since),
    totalTrend(db, { ids: idsOf(found), since, now }),
  ])
  const byRepository = Map.groupBy(sizes, ({ repositoryId }) => repositoryId)
  return {
    repositoryCount: found.length,
    sizeBytes: found.reduce((sum, row) => sum + (row.sizeBytes ?? 0), 0),
    change30d: found.reduce((sum, row) => sum + (row.change30d ?? 0), 0),
    trend,
    rows: shown.map(row => Object.assign(row, { trend: thinned(byRepository.get(row.id) ?? []) })),
  }
}

/** A size that a repository had, for a query of `repositories`. */
const sizeOn = (which: SQL) =>
  sql`(select size_bytes from repository_days where repository_days.repository_id = repositories.id and ${which} limit 1)`

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

const sizesOf = async (db: Db, ids: string[], since: string) =>
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

/** The sum by day, each repository at its last known size: what each grew by, added up. */
async function totalTrend(
  db: Db,
  { ids, since, now }: { ids: readonly string[]; since: string; now: Date },
): Promise<Size[]> {
  const grown = await db.execute<Size>(sql`
    select day::text, sum(bytes)::float8 as "sizeBytes" from (
      select day, size_bytes - coalesce(lag(size_bytes) over (partition by repository_id order by day), 0) as bytes
      from repository_days where repository_id = any(${sql.param([...ids])}::uuid[]) and day >= ${since}::date) each
    group by day order by day`)
  const grownOn = new Map(grown.map(({ day, sizeBytes }) => [day, sizeBytes]))
  let total = 0
  for (const [day, bytes] of grownOn) if (day < dayOf(now.getTime() - (DAYS - 1) * DAY_MS)) total += bytes
  const days = Array.from({ length: DAYS }, (_, back) => dayOf(now.getTime() - (DAYS - 1 - back) * DAY_MS))
  const trend = days.map(day => {
    total += grownOn.get(day) ?? 0
    return { day, sizeBytes: total }
  })
  const first = trend.findIndex(({ sizeBytes }) => sizeBytes > 0)
  return first === -1 ? [] : trend.slice(first)
}
