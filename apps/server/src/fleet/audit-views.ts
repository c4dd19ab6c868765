// The audit log as admins read it: page by page, and as a file.
import { and, desc, eq, gte, ilike, like, lt, lte, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import type {
  AuditEventView,
  AuditExport,
  AuditExportRequest,
  AuditListRequest,
  AuditPage,
} from '@restic-manager/contract/audit'
import type { Db } from '../db/open.ts'
import { hosts } from '../db/schema.ts'
import { auditEvents as events } from '../db/schema-operators.ts'
import { cursorAt, keysOf } from './cursor.ts'
import type { Scope } from './scope.ts'

type Filter = Omit<z.infer<typeof AuditListRequest>, 'limit'>

/** Rows in one part of an export. */
const EXPORT_ROWS = 1_000

const Keys = z.tuple([z.int().min(1)])

/** What somebody limited to tags sees: what is about a host with one of them. */
const within = (scope: Scope): SQL | undefined =>
  scope &&
  sql`${events.hostIds} && array(
    select seen.id from hosts as seen where seen.tags && ${sql.param([...scope], hosts.tags)})`

const beginning = (text: string) => `${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`

async function readPage(db: Db, scope: Scope, filter: Filter & { limit: number }): Promise<AuditPage> {
  const { actor, action, targetId, hostId, from, until, cursor, limit } = filter
  const after = keysOf(Keys, cursor)
  const rows = await db
    .select()
    .from(events)
    .where(
      and(
        within(scope),
        actor === undefined ? undefined : ilike(events.actorName, beginning(actor.trim())),
        action === undefined
          ? undefined
          : action.endsWith('.')
            ? like(events.action, beginning(action))
            : eq(events.action, action),
        targetId === undefined ? undefined : eq(events.targetId, targetId),
        hostId === undefined ? undefined : sql`${events.hostIds} @> array[${hostId}::uuid]`,
        from && gte(events.at, from),
        until && lte(events.at, until),
        after && lt(events.number, after[0]),
      ),
    )
    .orderBy(desc(events.number))
    .limit(limit + 1)
  const page = rows.slice(0, limit).map(({ number, hash, ...row }): AuditEventView =>
    Object.assign(row, {
      id: String(number),
      hash: hash.toString('hex'),
    }),
  )
  const last = page.at(-1)
  const hasMore = rows.length > page.length && last !== undefined
  return { rows: page, nextCursor: hasMore ? cursorAt([Number(last.id)]) : null }
}

/** A page of the audit log, newest first. */
export const auditPage = (
  db: Db,
  scope: Scope,
  request: z.infer<typeof AuditListRequest>,
): Promise<AuditPage> => readPage(db, scope, request)

/** A part of the audit log as a file, newest first. Only the part without a cursor has the head of a table. */
export async function exportAudit(
  db: Db,
  scope: Scope,
  { format, ...filter }: z.infer<typeof AuditExportRequest>,
): Promise<AuditExport> {
  const { rows, nextCursor } = await readPage(db, scope, { ...filter, limit: EXPORT_ROWS })
  const lines =
    format === 'ndjson'
      ? rows.map(({ id, ...row }) => JSON.stringify({ number: Number(id), ...row }))
      : [...(filter.cursor === undefined ? [columns.join(',')] : []), ...rows.map(lineOf)]
  return { text: lines.map(line => `${line}\n`).join(''), nextCursor }
}

const columns = [
  ...(['id', 'at', 'actorKind', 'actorId', 'actorName', 'address', 'action'] as const),
  ...(['targetKind', 'targetId', 'targetName', 'hostIds', 'before', 'after', 'hash'] as const),
]

const lineOf = (row: AuditEventView) => columns.map(column => cellOf(row[column])).join(',')

/** A name that a spreadsheet would take for a formula gets an apostrophe: names may come from strangers. */
function cellOf(value: unknown): string {
  if (value === null || value === undefined) return ''
  const text =
    value instanceof Date ? value.toISOString() : typeof value === 'string' ? value : JSON.stringify(value)
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
