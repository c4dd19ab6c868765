// What of the fleet somebody sees and changes: the hosts with one of their tags, and what hangs on these hosts.
import { and, arrayOverlaps, inArray, isNotNull, or, type SQL, sql, type SQLWrapper } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'
import { Refusal, type RefusalCode } from '@restic-manager/contract/refusal'
import type { Db } from '../db/open.ts'
import { hosts, jobs, repositories, schedules } from '../db/schema.ts'
import { alerts } from '../db/schema-alerts.ts'
import { enrolments } from '../db/schema-enrolments.ts'

/** Tags of hosts, one of which is enough. Undefined: no limit. */
export type Scope = readonly string[] | undefined

/** No limit. */
export const wholeFleet: Scope = undefined

/** The hosts of a scope. Also those that were removed: their records stay with whom they belonged to. */
export const hostsIn = (scope: Scope): SQL | undefined => scope && arrayOverlaps(hosts.tags, [...scope])

/** Rows whose `hostId` is a host of the scope. */
export const ofHostsIn = (scope: Scope, hostId: SQLWrapper): SQL | undefined =>
  scope &&
  sql`${hostId} in (select seen.id from hosts as seen where seen.tags && ${sql.param([...scope], hosts.tags)})`

/** The same where many rows are passed over: `is true` keeps it from becoming a join, in which each row would look its host up. */
export const ofManyHostsIn = (scope: Scope, hostId: SQLWrapper): SQL | undefined =>
  scope && sql`(${ofHostsIn(scope, hostId)}) is true`

/** The same where few rows are looked at: each looks its host up, instead of the whole scope being found first. */
export const ofFewHostsIn = (scope: Scope, hostId: SQLWrapper): SQL | undefined =>
  scope &&
  sql`exists (select 1 from hosts as seen where seen.id = ${hostId} and seen.tags && ${sql.param([...scope], hosts.tags)})`

/** Jobs on hosts of the scope, and those that another host runs for one of them. */
export const jobsIn = (scope: Scope): SQL | undefined =>
  scope &&
  or(
    ofHostsIn(scope, jobs.hostId),
    // Few jobs serve another host: until one comes, its hosts are not looked for.
    and(isNotNull(jobs.forHostId), ofHostsIn(scope, jobs.forHostId)),
  )

/**
 * The same where few jobs are looked at, as those that run: each looks its hosts up, instead of the whole scope being found first.
 * Names the columns of `jobs` in full.
 */
export const fewJobsIn = (scope: Scope): SQL | undefined =>
  scope &&
  sql`exists (select 1 from hosts as seen where seen.id in (jobs.host_id, jobs.for_host_id)
    and seen.tags && ${sql.param([...scope], hosts.tags)})`

/** Repositories that hosts of the scope use or maintain. */
export const repositoriesIn = (scope: Scope): SQL | undefined =>
  scope &&
  or(
    ofHostsIn(scope, repositories.maintenanceHostId),
    sql`${repositories.id} in (select used.repository_id from host_repositories as used
      where ${ofHostsIn(scope, sql`used.host_id`)})`,
  )

/** The same where all repositories are looked at: of each, hosts are looked up until one is of the scope. */
export const eachRepositoryIn = (scope: Scope): SQL | undefined =>
  scope &&
  sql`exists (select 1 from (
      select used.host_id from host_repositories as used where used.repository_id = repositories.id
      union all select repositories.maintenance_host_id) as its
    join hosts as seen on seen.id = its.host_id and seen.tags && ${sql.param([...scope], hosts.tags)})`

/** How many hosts outside of the scope use or maintain a repository; names the columns of `repositories` in full. */
export const hiddenHostsOf = (scope: Scope): SQL<number> =>
  scope === undefined
    ? sql<number>`0`
    : sql<number>`(select count(*)::integer from (
          select used.host_id from host_repositories as used where used.repository_id = repositories.id
          union select repositories.maintenance_host_id) as its
        join hosts as other on other.id = its.host_id
        where other.removed_at is null and not (other.tags && ${sql.param([...scope], hosts.tags)}))`

export const enrolmentsIn = (scope: Scope): SQL | undefined =>
  scope && arrayOverlaps(enrolments.tags, [...scope])

/** Alerts about hosts of the scope, and about enrolments whose hosts belong to it. */
export const alertsIn = (scope: Scope): SQL | undefined => alertsWhere(scope, ofHostsIn)

/** The same where few alerts are looked at. */
export const fewAlertsIn = (scope: Scope): SQL | undefined => alertsWhere(scope, ofFewHostsIn)

const alertsWhere = (scope: Scope, of: typeof ofHostsIn): SQL | undefined =>
  scope &&
  or(
    of(scope, alerts.hostId),
    sql`${alerts.hostId} is null and ${alerts.enrolmentId} in (select seen.id from enrolments as seen
      where seen.tags && ${sql.param([...scope], enrolments.tags)})`,
  )

/** Something that a request is about. `shared repository`: one that is changed for everybody who uses it. */
export type Thing = {
  kind: 'host' | 'job' | 'schedule' | 'repository' | 'shared repository' | 'enrolment' | 'alert'
  id: string
}

type Place = {
  table: PgTable
  id: SQLWrapper
  within: (scope: Scope) => SQL | undefined
  absent: [RefusalCode, string]
}

const repository: Place = {
  table: repositories,
  id: repositories.id,
  within: repositoriesIn,
  absent: ['repository_not_found', 'There is no such repository.'],
}

const places: Record<Thing['kind'], Place> = {
  host: { table: hosts, id: hosts.id, within: hostsIn, absent: ['host_not_found', 'There is no such host.'] },
  job: { table: jobs, id: jobs.id, within: jobsIn, absent: ['job_not_found', 'There is no such job.'] },
  schedule: {
    table: schedules,
    id: schedules.id,
    within: scope => ofHostsIn(scope, schedules.hostId),
    absent: ['schedule_not_found', 'There is no such schedule.'],
  },
  enrolment: {
    table: enrolments,
    id: enrolments.id,
    within: enrolmentsIn,
    absent: ['enrolment_not_found', 'There is no such enrolment.'],
  },
  alert: {
    table: alerts,
    id: alerts.id,
    within: alertsIn,
    absent: ['alert_not_found', 'There is no such alert.'],
  },
  repository,
  'shared repository': repository,
}

/** The ids of these that are there and within the scope. */
export async function idsWithin(
  db: Db,
  scope: Scope,
  { kind, ids }: { kind: Thing['kind']; ids: readonly string[] },
): Promise<Set<string>> {
  const { table, id, within } = places[kind]
  if (ids.length === 0) return new Set()
  const found = await db
    .select({ id: sql<string>`${id}` })
    .from(table)
    .where(and(sql`${id} in ${[...new Set(ids)]}`, within(scope)))
  return new Set(found.map(row => row.id))
}

/**
 * Throws what is thrown for something that does not exist, when one of these is outside of the scope: nobody learns from a
 * refusal what there is. Throws `not_allowed` for a repository that is seen and that others use as well.
 */
export async function requireWithin(db: Db, scope: Scope, things: readonly Thing[]): Promise<void> {
  if (scope === undefined) return
  for (const [kind, wanted] of Map.groupBy(things, thing => thing.kind)) {
    const ids = [...new Set(wanted.map(thing => thing.id.toLowerCase()))]
    const seen = await idsWithin(db, scope, { kind, ids })
    if (seen.size < ids.length) throw new Refusal(...places[kind].absent)
    if (kind !== 'shared repository') continue
    const shared = await db
      .select({ id: repositories.id })
      .from(repositories)
      .where(and(inArray(repositories.id, ids), sql`${hiddenHostsOf(scope)} > 0`))
    if (shared.length > 0)
      throw new Refusal(
        'not_allowed',
        'Hosts that you do not see use or maintain this repository too. Somebody who sees them all has to do this.',
      )
  }
}
