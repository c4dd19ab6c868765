// command.*: the agent's answer to an order to run.
import { CommandAnswer, CommandResult } from '@restic-manager/contract/command'
import { answerCommand } from '../fleet/job-reports.ts'
import { countForeignIds } from '../fleet/foreign-ids.ts'
import { procedure, router } from './trpc.ts'

export const commandNoun = router({
  result: procedure
    .input(CommandResult)
    .output(CommandAnswer)
    .mutation(({ ctx, input }) =>
      countForeignIds(ctx, input.jobId, () => answerCommand(ctx.db, ctx.sender, input, ctx.timing)),
    ),
})
