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
import { hasInlineHook } from '@restic-manager/contract/command'
import type { ScheduleDraft } from '@restic-manager/contract/schedule'
import { SchedulePreview, ScheduleView } from '@restic-manager/contract/views'
import { removes, scheduleRemoves, sharedBySchedule } from '../fleet/removals.ts'
import { previewSlots } from '../fleet/schedule-preview.ts'
import { previewRetention, runScheduleNow } from '../fleet/schedule-runs.ts'
import { listSchedules, viewSchedule } from '../fleet/schedule-views.ts'
import type { Thing } from '../fleet/scope.ts'
import { createSchedule, removeSchedule, setScheduleEnabled, updateSchedule } from '../fleet/schedules.ts'
import { admin, operator, router, viewer } from './trpc.ts'

/** What to send back with the next edit. */
const Edited = z.object({ version: z.number() })

type Draft = { schedule: ScheduleDraft }

/** The repositories of a draft; for a prune as what is changed for everybody who uses them. */
const thingsOfDraft = ({ schedule: { kind, repositoryIds } }: Draft): Thing[] =>
  repositoryIds.map(id => ({ kind: kind === 'prune' ? 'shared repository' : 'repository', id }))

/** Whether a draft removes something for good, or makes the host run programs. */
const isTelling = ({ schedule }: Draft): boolean => removes(schedule.kind) || hasInlineHook(schedule)

export const schedulesRouter = router({
  /** Schedules, of one host, of one repository or of all; of one kind, if it is named. */
  list: viewer({ input: ScheduleListRequest, of: 'fleet' })
    .output(z.array(ScheduleView))
    .query(({ ctx, input }) => listSchedules(ctx.db, ctx.scope, input, ctx.timing)),
  /** One schedule, with how its host applies it. */
  get: viewer({ input: ScheduleRequest, of: { scheduleId: 'schedule' } })
    .output(ScheduleView)
    .query(({ ctx, input }) => viewSchedule(ctx.db, input.scheduleId, ctx.timing)),
  /**
   * Plans something on a host.
   * @throws schedule_invalid repository_not_on_host not_maintenance_host refused_by_policy
   */
  create: admin({
    input: ScheduleCreateRequest,
    of: { hostId: 'host' },
    also: thingsOfDraft,
    makes: { kind: 'schedule', field: 'scheduleId' },
    fresh: isTelling,
  })
    .output(z.object({ scheduleId: Id }))
    .mutation(({ ctx, input }) => createSchedule(ctx.db, input)),
  /**
   * Changes a schedule. `version` is the one that was edited; the answer is the next.
   * @throws schedule_invalid repository_not_on_host not_maintenance_host refused_by_policy
   */
  update: admin({
    input: ScheduleUpdateRequest,
    of: { scheduleId: 'schedule' },
    also: thingsOfDraft,
    fresh: isTelling,
  })
    .output(Edited)
    .mutation(({ ctx, input }) => updateSchedule(ctx.db, input)),
  /** Pauses or resumes a schedule. */
  setEnabled: operator({
    input: ScheduleEnableRequest,
    of: { scheduleId: 'schedule' },
    also: ({ scheduleId, enabled }, db) => (enabled ? sharedBySchedule(db, scheduleId) : []),
    fresh: ({ scheduleId, enabled }, db) => enabled && scheduleRemoves(db, scheduleId),
  })
    .output(Edited)
    .mutation(({ ctx, input }) => setScheduleEnabled(ctx.db, input)),
  /** Deletes a schedule. Its jobs stay in the list, and its snapshots in the repository. */
  remove: admin({ input: ScheduleRemoveRequest, of: { scheduleId: 'schedule' } })
    .output(z.void())
    .mutation(({ ctx, input }) => removeSchedule(ctx.db, input)),
  /**
   * The next slots of a timetable, which need not be saved.
   * @throws schedule_invalid
   */
  preview: viewer({ input: SchedulePreviewRequest, of: 'self' })
    .output(SchedulePreview)
    .query(({ input }) => previewSlots(input)),
  /**
   * Orders a dry run of a retention: the job's result says what would go and what would stay.
   * @throws schedule_invalid repository_not_on_host not_maintenance_host refused_by_policy
   */
  previewRetention: operator({
    input: RetentionPreviewRequest,
    of: { hostId: 'host', repositoryId: 'repository', scheduleIds: 'schedule' },
    makes: { kind: 'job', field: 'jobId' },
  })
    .output(z.object({ jobId: Id }))
    .mutation(({ ctx, input }) =>
      previewRetention(ctx.db, input, { requestedBy: ctx.principal.email, timing: ctx.timing }),
    ),
  /**
   * Runs a schedule now, once, besides its slots: one job for each of its repositories.
   * @throws repository_not_on_host not_maintenance_host repository_busy refused_by_policy
   */
  runNow: operator({
    input: ScheduleRunNowRequest,
    of: { scheduleId: 'schedule' },
    also: ({ scheduleId }, db) => sharedBySchedule(db, scheduleId),
    fresh: ({ scheduleId }, db) => scheduleRemoves(db, scheduleId),
  })
    .output(z.object({ jobIds: z.array(Id) }))
    .mutation(({ ctx, input }) =>
      runScheduleNow(ctx.db, input, { requestedBy: ctx.principal.email, timing: ctx.timing }),
    ),
})
