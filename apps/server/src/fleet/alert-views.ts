// Alerts as operators see them: what is open, the loudest first, and what was.
import { and, eq, inArray, isNotNull, isNull, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { AlertCounts, AlertListRequest, AlertPage, AlertView } from '@restic-manager/contract/alerts'
import { alertKinds } from '@restic-manager/contract/alert-kinds'
import { type AlertKind, type ClearAction, type Severity } from '@restic-manager/contract/attention'
import type { Overview } from '@restic-manager/contract/overview'
import type { Db } from '../db/open.ts'
import { hosts, repositories, schedules } from '../db/schema.ts'
import { alerts } from '../db/schema-alerts.ts'
import { cursorAt, keysOf } from './cursor.ts'
import { alertsIn, fewAlertsIn, ofFewHostsIn, type Scope } from './scope.ts'

const kindsOf = (severity: Severity) =>
  (Object.keys(alertKinds) as AlertKind[]).filter(kind => alertKinds[kind].severity === severity)

/** Red is 0, so that it comes first. */
const rank = sql<number>`case when ${inArray(alerts.kind, kindsOf('red'))} then 0 else 1 end`
/** To the microsecond nothing is stored, so a millisecond and an id name the place of a row. */
const sinceText = sql<string>`to_char(${alerts.since} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

/** What a host does that somebody does not see, they cannot ask of it. */
const isKeptOutside = (scope: Scope): SQL<boolean> =>
  scope === undefined
    ? sql<boolean>`false`
    : sql<boolean>`(${repositories.maintenanceHostId} is not null and not (${ofFewHostsIn(scope, repositories.maintenanceHostId)}))`

const columnsFor = (scope: Scope) => ({
  id: alerts.id,
  kind: alerts.kind,
  hostId: alerts.hostId,
  hostName: hosts.name,
  enrolmentId: alerts.enrolmentId,
  repositoryId: alerts.repositoryId,
  repositoryName: repositories.name,
  repositoryKeeper: repositories.maintenanceHostId,
  isKeptElsewhere: isKeptOutside(scope),
  scheduleId: alerts.scheduleId,
  scheduleName: schedules.name,
  jobId: alerts.jobId,
  reason: alerts.reason,
  sentence: alerts.sentence,
  detail: alerts.detail,
  lastGoodAt: alerts.lastGoodAt,
  objectiveMs: sql<number | null>`${hosts.objectiveSeconds}::float8 * 1000`,
  since: alerts.since,
  lastSeenAt: alerts.lastSeenAt,
  count: alerts.count,
  acknowledgedBy: alerts.acknowledgedBy,
  acknowledgedAt: alerts.acknowledgedAt,
  clearedAt: alerts.clearedAt,
  rank,
  sinceText,
})

const selectAlerts = (db: Db, scope: Scope) =>
  db
    .select(columnsFor(scope))
    .from(alerts)
    .leftJoin(hosts, eq(hosts.id, alerts.hostId))
    .leftJoin(repositories, eq(repositories.id, alerts.repositoryId))
    .leftJoin(schedules, eq(schedules.id, alerts.scheduleId))
    .$dynamic()

type Row = Awaited<ReturnType<typeof selectAlerts>>[number]

function viewOf(row: Row): AlertView {
  const { hostId, hostName, repositoryKeeper: _keeper, isKeptElsewhere: _kept, ...rest } = row
  const { rank: _rank, sinceText: _sinceText, ...view } = rest
  const { severity, check } = alertKinds[row.kind]
  return {
    ...view,
    severity,
    check,
    host: hostId === null ? null : { id: hostId, name: hostName ?? '' },
    clear: row.clearedAt === null ? clearOf(row) : null,
  }
}

type Ids = Pick<
  Row,
  | 'kind'
  | 'reason'
  | 'hostId'
  | 'repositoryId'
  | 'repositoryKeeper'
  | 'isKeptElsewhere'
  | 'scheduleId'
  | 'jobId'
>

/** What clears an alert, with the ids that it takes; null where nothing but time does. */
function clearOf({
  kind,
  reason,
  hostId,
  repositoryId,
  repositoryKeeper,
  isKeptElsewhere,
  scheduleId,
  jobId,
}: Ids): ClearAction | null {
  const onHost = isKeptElsewhere ? null : (repositoryKeeper ?? hostId)
  const runNow: ClearAction | null = scheduleId === null ? null : { do: 'run_now', scheduleId }
  const retry: ClearAction | null = jobId === null ? runNow : { do: 'retry', jobId }
  switch (kind) {
    case 'backup_failed':
      if (reason === 'storage_full' && repositoryId !== null && onHost !== null)
        return { do: 'prune_now', repositoryId, hostId: onHost }
      return retry
    case 'retention_failed':
    case 'prune_failed':
    case 'check_failed':
      return retry
    case 'backup_incomplete':
      return jobId === null ? null : { do: 'review_files', jobId }
    case 'repository_locked':
      return repositoryId === null || onHost === null
        ? null
        : { do: 'remove_lock', repositoryId, hostId: onHost }
    case 'schedule_rejected':
      return scheduleId === null ? null : { do: 'edit_schedule', scheduleId }
    case 'host_silent':
      return hostId === null ? null : { do: 'reconnect', hostId }
    case 'host_cloned':
      return hostId === null ? null : { do: 'release', hostId }
    case 'host_waiting':
      return hostId === null ? null : { do: 'approve', hostId }
    case 'schedule_drift':
      return null
    case 'backup_lost':
    case 'retention_overdue':
    case 'check_overdue':
    case 'host_late':
    case 'slots_missed':
      return runNow
    default:
      return { do: 'acknowledge' }
  }
}

const WorstKeys = z.tuple([z.number(), z.string(), z.uuid()])
const NewestKeys = z.tuple([z.string(), z.uuid()])

/** A page of alerts: open ones red first and then the oldest, all of them newest first. */
export async function alertPage(
  db: Db,
  scope: Scope,
  request: z.infer<typeof AlertListRequest>,
): Promise<AlertPage> {
  const isOpen = request.which === 'open'
  const within = and(
    alertsIn(scope),
    request.hostId === undefined ? undefined : eq(alerts.hostId, request.hostId),
    request.repositoryId === undefined ? undefined : eq(alerts.repositoryId, request.repositoryId),
  )
  const order = isOpen
    ? [sql`${rank} asc`, sql`${alerts.since} asc`, sql`${alerts.id} asc`]
    : [sql`${alerts.since} desc`, sql`${alerts.id} desc`]
  // First which, and only then what belongs to them: most are of no interest to a page.
  const which = db
    .select({ id: alerts.id })
    .from(alerts)
    .where(
      and(
        within,
        isOpen ? isNull(alerts.clearedAt) : undefined,
        request.acknowledged === undefined ? undefined : wasSeen(request.acknowledged),
        request.severity === undefined ? undefined : inArray(alerts.kind, kindsOf(request.severity)),
        isAfter(isOpen, request.cursor),
      ),
    )
    .orderBy(...order)
    .limit(request.limit + 1)
  const [rows, counts] = await Promise.all([
    selectAlerts(db, scope)
      .where(inArray(alerts.id, which))
      .orderBy(...order),
    countAlerts(db, within),
  ])
  const page = rows.slice(0, request.limit)
  const last = rows.length > page.length ? page.at(-1) : undefined
  return {
    rows: page.map(viewOf),
    nextCursor:
      last === undefined
        ? null
        : cursorAt(isOpen ? [last.rank, last.sinceText, last.id] : [last.sinceText, last.id]),
    openCount: counts.red + counts.amber,
    counts,
  }
}

const wasSeen = (acknowledged: boolean) =>
  acknowledged ? isNotNull(alerts.acknowledgedAt) : isNull(alerts.acknowledgedAt)

function isAfter(isOpen: boolean, cursor: string | undefined): SQL | undefined {
  if (isOpen) {
    const keys = keysOf(WorstKeys, cursor)
    return (
      keys &&
      sql`(${rank}, ${alerts.since}, ${alerts.id}) > (${keys[0]}, ${keys[1]}::timestamptz, ${keys[2]}::uuid)`
    )
  }
  const keys = keysOf(NewestKeys, cursor)
  return keys && sql`(${alerts.since}, ${alerts.id}) < (${keys[0]}::timestamptz, ${keys[1]}::uuid)`
}

const countOf = (which: SQL | undefined) => sql<number>`(count(*) filter (where ${which}))::integer`

/** Of open alerts: how many are how loud, and how many somebody has seen. */
const openCounts = {
  red: countOf(and(isNull(alerts.acknowledgedAt), sql`${rank} = 0`)),
  amber: countOf(and(isNull(alerts.acknowledgedAt), sql`${rank} = 1`)),
  acknowledged: countOf(isNotNull(alerts.acknowledgedAt)),
}

/** Open alerts by how loud they are. */
export async function countAlerts(db: Db, within: SQL | undefined): Promise<AlertCounts> {
  const [counts] = await db
    .select(openCounts)
    .from(alerts)
    .where(and(within, isNull(alerts.clearedAt)))
  return counts ?? { red: 0, amber: 0, acknowledged: 0 }
}

const MOST_ATTENTION = 10

/** What the Overview shows of it: one look at what is open. */
export async function attentionOf(
  db: Db,
  scope: Scope,
): Promise<Pick<Overview, 'attention'> & Pick<Overview['fleet'], 'retentionTroubled'>> {
  const isNew = isNull(alerts.acknowledgedAt)
  const ofRetention: AlertKind[] = [
    'retention_failed',
    'retention_overdue',
    'prune_failed',
    'repository_locked',
  ]
  const [[open], [lastCleared]] = await Promise.all([
    db
      .select({
        ...openCounts,
        retentionTroubled: sql<number>`(count(distinct ${alerts.repositoryId}) filter (where ${inArray(alerts.kind, ofRetention)}))::integer`,
        first: sql<
          string[] | null
        >`to_json((array_agg(${alerts.id} order by ${rank}, ${alerts.since}, ${alerts.id})
          filter (where ${isNew}))[1:${sql.raw(String(MOST_ATTENTION))}])`,
      })
      .from(alerts)
      .where(and(alertsIn(scope), isNull(alerts.clearedAt))),
    selectAlerts(db, scope)
      .where(and(fewAlertsIn(scope), sql`${alerts.clearedAt} > now() - interval '1 day'`))
      .orderBy(sql`${alerts.clearedAt} desc`)
      .limit(1),
  ])
  const { first, retentionTroubled = 0, red = 0, amber = 0, acknowledged = 0 } = open ?? {}
  const ids = first ?? []
  const found = ids.length === 0 ? [] : await selectAlerts(db, scope).where(inArray(alerts.id, ids))
  const byId = new Map(found.map(row => [row.id, row]))
  return {
    retentionTroubled,
    attention: {
      rows: ids.flatMap(id => {
        const row = byId.get(id)
        return row === undefined ? [] : [viewOf(row)]
      }),
      total: red + amber,
      counts: { red, amber, acknowledged },
      lastCleared: lastCleared === undefined ? null : viewOf(lastCleared),
    },
  }
}
