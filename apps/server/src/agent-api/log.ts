// log.*: blocks of a job's log.
import { LogAnswer, LogStreamBlock } from '@restic-manager/contract/log'
import { countForeignIds } from '../fleet/foreign-ids.ts'
import { appendLog } from '../fleet/logs.ts'
import { procedure, router } from './trpc.ts'

export const logNoun = router({
  stream: procedure
    .input(LogStreamBlock)
    .output(LogAnswer)
    .mutation(({ ctx, input }) =>
      ctx.logIntake.take(ctx.host.id, input.block.length, () =>
        countForeignIds(ctx, input.jobId, () => appendLog(ctx.db, ctx.sender, input)),
      ),
    ),
})
