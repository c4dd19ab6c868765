// schedule.*: the plan a host works by, and what it says of its slots.
import { z } from 'zod'
import { Ack } from '@restic-manager/contract/fact'
import {
  ScheduleAck,
  ScheduleFire,
  ScheduleFireAnswer,
  ScheduleNotRun,
  ScheduleSet,
} from '@restic-manager/contract/schedule'
import type { AgentContext } from '../context.ts'
import { unlessOutage } from '../db/outage.ts'
import { fireSchedule } from '../fleet/fires.ts'
import { countForeignIds } from '../fleet/foreign-ids.ts'
import { keepNotRun } from '../fleet/not-run.ts'
import { ackSchedules, scheduleSetFor } from '../fleet/schedule-sets.ts'
import { lookForSchedules } from '../fleet/slow-look.ts'
import { procedure, router } from './trpc.ts'

export const scheduleNoun = router({
  set: procedure.subscription(({ ctx, signal = ctx.closed }) => tellSchedules(ctx, signal)),
  ack: procedure
    .input(ScheduleAck)
    .output(z.void())
    .mutation(({ ctx, input }) => ackSchedules(ctx.db, ctx.sender, input)),
  fire: procedure
    .input(ScheduleFire)
    .output(ScheduleFireAnswer)
    .mutation(({ ctx, input }) =>
      countForeignIds(ctx, input.scheduleId, () => fireSchedule(ctx.db, ctx.sender, input, ctx.timing)),
    ),
  notRun: procedure
    .input(ScheduleNotRun)
    .output(Ack)
    .mutation(({ ctx, input }) =>
      countForeignIds(ctx, input.scheduleId, () => keepNotRun(ctx.db, ctx.sender, input, ctx.timing)),
    ),
})

/** The whole set at once, then whenever its version moved. A database that is away for a while only makes it wait. */
async function* tellSchedules(
  ctx: Omit<AgentContext, 'presence'>,
  until: AbortSignal,
): AsyncGenerator<ScheduleSet> {
  let sent: number | undefined
  const wakeups = ctx.bus.wakeups([{ topic: 'schedule', id: ctx.host.id }], until, reader =>
    lookForSchedules(ctx.db, ctx.host, sent, reader),
  )
  for await (const _ of wakeups) {
    using _floor = await ctx.floor()
    const set = await unlessOutage(() => scheduleSetFor(ctx.db, ctx.host))
    if (set === undefined || set.version === sent) continue
    if (until.aborted) return
    yield ScheduleSet.parse(set)
    sent = set.version
    ctx.connection.place?.told('schedules')
  }
}
