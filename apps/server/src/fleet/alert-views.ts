// Alerts as operators see them: what is open, the loudest first, and what was.
import { and, eq, inArray, isNotNull, isNull, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { AlertCounts, AlertListRequest, AlertPage, AlertView } from '@restic-manager/contract/alerts'
import {
  type AlertKind,
  alertKinds,
  type ClearAction,
  type Severity,
} from '@restic-manager/contract/attention'
import type { Db } from '../db/open.ts'
import { alerts, hosts, repositories } from '../db/schema.ts'
import { cursorAt, keysOf } from './cursor.ts'
import { alertsIn, type Scope } from './scope.ts'

const kindsOf = (severity: Severity) =>
  (Object.keys(alertKinds) as AlertKind[]).filter(kind => alertKinds[kind].severity === severity)

/** Red is 0, so that it comes first. */
const rank = sql<number>`case when ${inArray(alerts.kind, kindsOf('red'))} then 0 else 1 end`
/** To the microsecond nothing is stored, so a millisecond and an id name the place of a row. */
const sinceText = sql<string>`to_char(${alerts.since} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

const columns = {
  id: alerts.id,
  kind: alerts.kind,
  hostId: alerts.hostId,
  hostName: hosts.name,
  enrolmentId: alerts.enrolmentId,
  repositoryId: alerts.repositoryId,
  repositoryName: repositories.name,
  sentence: alerts.sentence,
  since: alerts.since,
  lastSeenAt: alerts.lastSeenAt,
  count: alerts.count,
  acknowledgedBy: alerts.acknowledgedBy,
  acknowledgedAt: alerts.acknowledgedAt,
  clearedAt: alerts.clearedAt,
  rank,
  sinceText,
}

const selectAlerts = (db: Db) =>
  db
    .select(columns)
    .from(alerts)
    .leftJoin(hosts, eq(hosts.id, alerts.hostId))
    .leftJoin(repositories, eq(repositories.id, alerts.repositoryId))
    .$dynamic()

type Row = Awaited<ReturnType<typeof selectAlerts>>[number]

function viewOf({ hostId, hostName, rank: _rank, sinceText: _sinceText, ...row }: Row): AlertView {
  const { severity, check } = alertKinds[row.kind]
  return {
    ...row,
    severity,
    check,
    host: hostId === null ? null : { id: hostId, name: hostName ?? '' },
    scheduleId: null,
    scheduleName: null,
    jobId: null,
    reason: null,
    detail: null,
    lastGoodAt: null,
    objectiveMs: null,
    clear: clearOf(row.kind, hostId),
  }
}

/** What clears an alert of this kind. */
function clearOf(kind: AlertKind, hostId: string | null): ClearAction | null {
  if (alertKinds[kind].ends === 'event') return { do: 'acknowledge' }
  if (kind === 'host_cloned' && hostId !== null) return { do: 'release', hostId }
  if (kind === 'host_waiting' && hostId !== null) return { do: 'approve', hostId }
  return null
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
  const [rows, counts] = await Promise.all([
    selectAlerts(db)
      .where(
        and(
          within,
          isOpen ? isNull(alerts.clearedAt) : undefined,
          request.acknowledged === undefined ? undefined : wasSeen(request.acknowledged),
          request.severity === undefined ? undefined : inArray(alerts.kind, kindsOf(request.severity)),
          isAfter(isOpen, request.cursor),
        ),
      )
      .orderBy(
        ...(isOpen
          ? [sql`${rank} asc`, sql`${alerts.since} asc`, sql`${alerts.id} asc`]
          : [sql`${alerts.since} desc`, sql`${alerts.id} desc`]),
      )
      .limit(request.limit + 1),
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

/** Open alerts by how loud they are. */
export async function countAlerts(db: Db, within: SQL | undefined): Promise<AlertCounts> {
  const count = (which: SQL | undefined) => sql<number>`count(*) filter (where ${which})::integer`
  const isNew = isNull(alerts.acknowledgedAt)
  const [counts] = await db
    .select({
      red: count(and(isNew, sql`${rank} = 0`)),
      amber: count(and(isNew, sql`${rank} = 1`)),
      acknowledged: count(isNotNull(alerts.acknowledgedAt)),
    })
    .from(alerts)
    .where(and(within, isNull(alerts.clearedAt)))
  return counts ?? { red: 0, amber: 0, acknowledged: 0 }
}
