// schedules.*: what hosts are to do, and when: edited, previewed, run by hand.
import { z } from 'zod'
import { Id } from '@restic-manager/contract/ids'
import {
  RetentionPreviewRequest,
  ScheduleCreateRequest,
  ScheduleEnableRequest,
  ScheduleListRequest,
  SchedulePreviewRequest,
  ScheduleRemoveRequest,
  ScheduleRequest,
  ScheduleRunNowRequest,
  ScheduleUpdateRequest,
} from '@restic-manager/contract/requests'
import { SchedulePreview, ScheduleView } from '@restic-manager/contract/views'
import { previewSlots } from '../fleet/schedule-preview.ts'
import { previewRetention, runScheduleNow } from '../fleet/schedule-runs.ts'
import { listSchedules, viewSchedule } from '../fleet/schedule-views.ts'
import { createSchedule, removeSchedule, setScheduleEnabled, updateSchedule } from '../fleet/schedules.ts'
import { admin, operator, router, viewer } from './trpc.ts'

/** What to send back with the next edit. */
const Edited = z.object({ version: z.number() })

export const schedulesRouter = router({
  list: viewer
    .input(ScheduleListRequest)
    .output(z.array(ScheduleView))
    .query(({ ctx, input }) => listSchedules(ctx.db, input, ctx.timing)),
  get: viewer
    .input(ScheduleRequest)
    .output(ScheduleView)
    .query(({ ctx, input }) => viewSchedule(ctx.db, input.scheduleId, ctx.timing)),
  create: admin
    .input(ScheduleCreateRequest)
    .output(z.object({ scheduleId: Id }))
    .mutation(({ ctx, input }) => createSchedule(ctx.db, input)),
  update: admin
    .input(ScheduleUpdateRequest)
    .output(Edited)
    .mutation(({ ctx, input }) => updateSchedule(ctx.db, input)),
  setEnabled: operator
    .input(ScheduleEnableRequest)
    .output(Edited)
    .mutation(({ ctx, input }) => setScheduleEnabled(ctx.db, input)),
  remove: admin
    .input(ScheduleRemoveRequest)
    .output(z.void())
    .mutation(({ ctx, input }) => removeSchedule(ctx.db, input)),
  preview: viewer
    .input(SchedulePreviewRequest)
    .output(SchedulePreview)
    .query(({ input }) => previewSlots(input)),
  previewRetention: operator
    .input(RetentionPreviewRequest)
    .output(z.object({ jobId: Id }))
    .mutation(({ ctx, input }) =>
      previewRetention(ctx.db, input, { requestedBy: ctx.principal.email, timing: ctx.timing }),
    ),
  runNow: operator
    .input(ScheduleRunNowRequest)
    .output(z.object({ jobIds: z.array(Id) }))
    .mutation(({ ctx, input }) =>
      runScheduleNow(ctx.db, input, { requestedBy: ctx.principal.email, timing: ctx.timing }),
    ),
})
