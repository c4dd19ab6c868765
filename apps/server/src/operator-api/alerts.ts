// alerts.*: what needs a person.
import { z } from 'zod'
import { AlertListRequest, AlertPage, AlertRequest } from '@restic-manager/contract/alerts'
import { alertPage } from '../fleet/alert-views.ts'
import { acknowledgeAlert } from '../fleet/alerts.ts'
import { operator, router, viewer } from './trpc.ts'

export const alertsRouter = router({
  /** What needs a person, a page at a time, the newest first. */
  list: viewer({ input: AlertListRequest, of: 'fleet' })
    .output(AlertPage)
    .query(({ ctx, input }) => alertPage(ctx.db, ctx.scope, input)),
  /** Says that somebody has seen it. It stays until its cause is gone. */
  acknowledge: operator({ input: AlertRequest, of: { alertId: 'alert' } })
    .output(z.void())
    .mutation(({ ctx, input }) => acknowledgeAlert(ctx.db, input.alertId, ctx.principal.email)),
})
