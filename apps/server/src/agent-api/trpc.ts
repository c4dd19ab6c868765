// The agents' side of tRPC: plain JSON, our errors, and hello before anything else.
import { initTRPC } from '@trpc/server'
import type { AgentContext } from '../context.ts'
import { asWireError, formatError, refusalError } from '../wire-errors.ts'

const t = initTRPC.context<AgentContext>().create({ isDev: false, errorFormatter: formatError })

export const router = t.router

/** For `agent.hello` alone: the one call that may come first. */
export const helloProcedure = t.procedure.use(async ({ next }) => {
  const result = await next()
  if (!result.ok) throw asWireError(result.error)
  return result
})

/** Everything else: refused until hello has named the spool. `sender` is who every fact is from. */
export const procedure = t.procedure.use(async ({ ctx, next }) => {
  const { spoolEpoch } = ctx.connection
  if (spoolEpoch === undefined) throw refusalError('hello_first', 'Call agent.hello before anything else.')
  const result = await next({ ctx: { sender: { ...ctx.host, spoolEpoch } } })
  if (!result.ok) throw asWireError(result.error)
  return result
})
