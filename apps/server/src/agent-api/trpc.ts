// The agents' side of tRPC: plain JSON, our errors, and hello before anything else.
import { initTRPC } from '@trpc/server'
import type { AgentContext } from '../context.ts'
import type { Sender } from '../fleet/facts.ts'
import { asWireError, formatError, refusalError } from '../wire-errors.ts'

const t = initTRPC.context<AgentContext>().create({ isDev: false, errorFormatter: formatError })

export const router = t.router

/** Refused until hello has named the spool. `sender` is who every fact is from. */
function withSender(ctx: AgentContext): AgentContext & { sender: Sender } {
  const { spoolEpoch } = ctx.connection
  if (spoolEpoch === undefined) throw refusalError('hello_first', 'Call agent.hello before anything else.')
  return { ...ctx, sender: { ...ctx.host, spoolEpoch } }
}

const helloDoor = t.middleware(async ({ next }) => {
  const result = await next()
  if (!result.ok) throw asWireError(result.error)
  return result
})

const door = t.middleware(async ({ ctx, next }) => {
  const result = await next({ ctx: withSender(ctx) })
  if (!result.ok) throw asWireError(result.error)
  return result
})

/** For `agent.hello` alone: the one call that may come first. */
export const helloProcedure = t.procedure.use(helloDoor)

/** Everything else. */
export const procedure = t.procedure.use(door)

/** What a call meets at the door that its procedure was made with, for who calls without tRPC's own caller. */
export const letIn: ReadonlyMap<unknown, (ctx: AgentContext) => AgentContext> = new Map([
  [helloDoor._middlewares[0], (ctx: AgentContext) => ctx],
  [door._middlewares[0], withSender],
])
