// What an agent may call, led straight to its verb. tRPC passes each call through a chain of promises, which costs more than most verbs do.
import { TRPCError } from '@trpc/server'
import { agentRouter } from '../agent-api/router.ts'
import { letIn } from '../agent-api/trpc.ts'
import type { AgentContext } from '../context.ts'

type Parser = { parse(value: unknown): unknown }
type Middleware = (...args: never[]) => unknown

/** What a procedure of the router was made of. Nothing of it is a promised API; the version is pinned. */
type Definition = {
  type: string
  inputs: Parser[]
  output?: Parser
  middlewares: Middleware[]
  resolver(call: { ctx: AgentContext; input: unknown; signal: AbortSignal }): unknown
}

/** Checks the input, does it, checks the answer. Throws, or rejects with, what tRPC's own caller does. */
export type Act = (ctx: AgentContext, input: unknown) => unknown

/** Every mutation of the router by its name. */
export const agentCalls: ReadonlyMap<string, Act> = new Map(
  Object.entries(agentRouter._def.procedures as unknown as Record<string, { _def: Definition }>)
    .filter(([, { _def }]) => _def.type === 'mutation')
    .map(([path, { _def }]) => [path, actOf(path, _def)]),
)

/** Refuses to start with a procedure that has more to it than is done here. */
function actOf(path: string, { inputs, output, middlewares, resolver }: Definition): Act {
  const [Input] = inputs
  const enter = letIn.get(middlewares[0] as Middleware)
  // The door, the check of what comes in, that of what goes out, and the verb.
  if (enter === undefined || Input === undefined || output === undefined || middlewares.length !== 4)
    throw new Error(`${path} is not made of one door, one input and one output`)

  const checked = (answer: unknown) => {
    try {
      return output.parse(answer)
    } catch (cause) {
      throw new TRPCError({ code: 'INTERNAL_SERVER_ERROR', message: 'Output validation failed', cause })
    }
  }
  return (ctx, raw) => {
    const inside = enter(ctx)
    const answer = resolver({ ctx: inside, input: read(Input, raw), signal: ctx.closed })
    return answer instanceof Promise ? answer.then(checked) : checked(answer)
  }
}

function read(Input: Parser, raw: unknown): unknown {
  try {
    return Input.parse(raw)
  } catch (cause) {
    throw new TRPCError({ code: 'BAD_REQUEST', cause })
  }
}
