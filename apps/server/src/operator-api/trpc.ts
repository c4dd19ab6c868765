// The operator side of tRPC: superjson, our errors, and three base procedures by role. There is no fourth.
import { initTRPC } from '@trpc/server'
import superjson from 'superjson'
import type { OperatorContext, Principal } from '../context.ts'
import { asWireError, formatError, refusalError } from '../wire-errors.ts'

type Role = Principal['role']

/** Every procedure says who may call it, so that a test can walk them all. */
export type OperatorMeta = { role: Role }

const t = initTRPC
  .context<OperatorContext>()
  .meta<OperatorMeta>()
  // Subscriptions come over the WebSocket alone: there a full reader is waited for and an ended session closes them.
  .create({ transformer: superjson, isDev: false, errorFormatter: formatError, sse: { enabled: false } })

const ranks = { viewer: 0, operator: 1, admin: 2 } as const satisfies Record<Role, number>

/** A procedure for those of `role` and above. Refuses everybody else before the input is looked at. */
const forRole = (role: Role) =>
  t.procedure.meta({ role }).use(async ({ ctx, next }) => {
    const { principal } = ctx
    if (principal === undefined) throw refusalError('not_signed_in', 'Sign in first.')
    if (ranks[principal.role] < ranks[role])
      throw refusalError(
        'not_allowed',
        `This needs the role ${role}. You are signed in as ${principal.role}.`,
      )
    const result = await next({ ctx: { ...ctx, principal } })
    if (!result.ok) throw asWireError(result.error)
    return result
  })

export const router = t.router
/** May look at everything. */
export const viewer = forRole('viewer')
/** May also run, cancel, test and pause. */
export const operator = forRole('operator')
/** May also let machines in and change what they do, and where to. */
export const admin = forRole('admin')
