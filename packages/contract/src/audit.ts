// The audit log on the wire: what was done, by whom, with what was before and after.
import { z } from 'zod'
import { Id } from './ids.ts'
import { text } from './scalars.ts'

/** Who did something. `nobody`: a stranger, before anybody was let in. */
export const ActorKind = z.enum(['operator', 'api key', 'host', 'admin command', 'server', 'nobody'])
export type ActorKind = z.infer<typeof ActorKind>

/** `actor`: how its name begins, such as an e-mail. `action`: one of them, or all of a noun: `hosts.`. `from` and `until` are included. */
const AuditFilter = {
  actor: text(254).optional(),
  action: text(100).optional(),
  targetId: text(100).optional(),
  hostId: Id.optional(),
  from: z.date().optional(),
  until: z.date().optional(),
  cursor: text(100).optional(),
}
export const AuditListRequest = z.object({
  ...AuditFilter,
  limit: z.int().min(1).max(200).default(100),
})
/** `ndjson`: one JSON object a line. `csv`: with a head on the first page. */
export const AuditExportRequest = z.object({ ...AuditFilter, format: z.enum(['ndjson', 'csv']) })

/** One act. What stood under a secret's name in `before` and `after` is masked. `hash`: hexadecimal. */
export const AuditEventView = z.object({
  id: z.string(), // its number: 1, 2, 3 … without a hole
  at: z.date(),
  actorKind: ActorKind,
  actorId: z.string().nullable(),
  actorName: z.string(),
  address: z.string().nullable(),
  action: z.string(),
  targetKind: z.string().nullable(),
  targetId: z.string().nullable(),
  targetName: z.string().nullable(),
  hostIds: z.array(Id).nullable(), // null: the installation as a whole
  before: z.record(z.string(), z.unknown()).nullable(),
  after: z.record(z.string(), z.unknown()).nullable(),
  hash: z.string(),
})
export type AuditEventView = z.infer<typeof AuditEventView>

/** The newest first. */
export const AuditPage = z.object({ rows: z.array(AuditEventView), nextCursor: z.string().nullable() })
export type AuditPage = z.infer<typeof AuditPage>

/** A part of an export; ask again with `nextCursor` until it is null, and put the parts one after another. */
export const AuditExport = z.object({ text: z.string(), nextCursor: z.string().nullable() })
export type AuditExport = z.infer<typeof AuditExport>
