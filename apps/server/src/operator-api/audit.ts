// audit.*: what was done, by whom. It is only ever read here.
import { AuditExport, AuditExportRequest, AuditListRequest, AuditPage } from '@restic-manager/contract/audit'
import { auditPage, exportAudit } from '../fleet/audit-views.ts'
import { admin, router } from './trpc.ts'

export const auditRouter = router({
  /** The audit log, a page at a time, the newest first. Secrets are masked. */
  list: admin({ input: AuditListRequest, of: 'fleet' })
    .output(AuditPage)
    .query(({ ctx, input }) => auditPage(ctx.db, ctx.scope, input)),
  /** The audit log as one text, as lines of JSON or as CSV. */
  export: admin({ input: AuditExportRequest, of: 'fleet' })
    .output(AuditExport)
    .query(({ ctx, input }) => exportAudit(ctx.db, ctx.scope, input)),
})
