// The audit log as admins read it: page by page, and as a file.
import { and, desc, inArray, sql } from 'drizzle-orm'
import { z } from 'zod'
import type {
  AuditEventView,
  AuditExport,
  AuditExportRequest,
  AuditListRequest,
  AuditPage,
} from '@restic-manager/contract/audit'
import { isOneOf } from '../db/listed.ts'
import type { Db } from '../db/open.ts'
import { auditEvents as events } from '../db/schema-operators.ts'
import { hosts } from '../db/schema.ts'
import { numbersOf } from './audit-lists.ts'
import { cursorAt, keysOf } from './cursor.ts'
import { hostsIn, type Scope } from './scope.ts'

type Filter = Omit<z.infer<typeof AuditListRequest>, 'limit'>

/** Rows in one part of an export. */
const EXPORT_ROWS = 1_000

const Keys = z.tuple([z.iso.datetime(), z.int().min(1)])

async function readPage(db: Db, scope: Scope, request: Filter & { limit: number }): Promise<AuditPage> {
  const { cursor, limit, ...filter } = request
  const keys = keysOf(Keys, cursor)
  const after = keys && { at: new Date(keys[0]), number: keys[1] }
  const rows = await db
    .select()
    .from(events)
    .where(inArray(events.number, sql`(${numbersOf({ scope, filter, after, most: limit + 1 })})`))
    .orderBy(desc(events.at), desc(events.number))
  const page = rows.slice(0, limit).map(({ number, hash, ...row }): AuditEventView =>
    Object.assign(row, {
      id: String(number),
      hash: hash.toString('hex'),
    }),
  )
  const seen = scope === undefined ? page : await withoutHidden(db, scope, page)
  const last = page.at(-1)
  const hasMore = rows.length > page.length && last !== undefined
  return { rows: seen, nextCursor: hasMore ? cursorAt([last.at.toISOString(), Number(last.id)]) : null }
}

/** Takes other hosts out of rows that are about them too: of a repository that is shared, who else uses it is not told. */
async function withoutHidden(db: Db, scope: Scope, rows: AuditEventView[]): Promise<AuditEventView[]> {
  const ids = [...new Set(rows.flatMap(row => row.hostIds ?? []))]
  const seen = await db
    .select({ id: hosts.id, name: hosts.name })
    .from(hosts)
    .where(and(isOneOf(hosts.id, ids), hostsIn(scope)))
  const known = new Set(seen.flatMap(({ id, name }) => [id, name]))
  const onlyKnown = (list: unknown) => (Array.isArray(list) ? list.filter(each => known.has(each)) : list)
  const cut = (state: AuditEventView['before']) =>
    state &&
    Object.fromEntries(
      Object.entries(state).map(([key, value]) => [key, hostLists.has(key) ? onlyKnown(value) : value]),
    )
  return rows.map(({ hostIds, before, after, ...row }) =>
    hostIds?.some(id => !known.has(id)) === true
      ? { ...row, hostIds: hostIds.filter(id => known.has(id)), before: cut(before), after: cut(after) }
      : { ...row, hostIds, before, after },
  )
}

/** Under these a state names hosts. */
const hostLists: ReadonlySet<string> = new Set(['hosts', 'hostIds'])

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
