// config.*: the agent says which configuration it has on disk.
import { z } from 'zod'
import { ConfigAck } from '@restic-manager/contract/repository'
import { ackConfiguration } from '../fleet/configuration.ts'
import { procedure, router } from './trpc.ts'

export const configNoun = router({
  ack: procedure
    .input(ConfigAck)
    .output(z.void())
    .mutation(({ ctx, input }) => ackConfiguration(ctx.db, ctx.sender, input)),
})
