// The operator side of tRPC: superjson, our errors, and three base procedures by role. There is no fourth, and none without a rule.
import { initTRPC } from '@trpc/server'
import superjson from 'superjson'
import type { z } from 'zod'
import { Refusal } from '@restic-manager/contract/refusal'
import { type Role, roleRanks } from '@restic-manager/contract/role'
import type { OperatorContext } from '../context.ts'
import { asWireError, formatError } from '../wire-errors.ts'
import { type AnyRule, checkFresh, checkKey, checkRule, type Rule } from './rules.ts'

/** Every procedure says who may call it and what the call is about, so that a test can walk them all. */
export type OperatorMeta = { role: Role; rule: AnyRule }

const t = initTRPC
  .context<OperatorContext>()
  .meta<OperatorMeta>()
  // Subscriptions come over the WebSocket alone: there a full reader is waited for and an ended session closes them.
  .create({ transformer: superjson, isDev: false, errorFormatter: formatError, sse: { enabled: false } })

/** Refuses everybody below `role`, and every key that was not made for this, before the input is looked at. */
const forRole = (role: Role, rule: AnyRule) =>
  t.procedure
    .meta({ role, rule })
    .use(async ({ next }) => {
      const result = await next()
      if (!result.ok) throw asWireError(result.error)
      return result
    })
    .use(({ ctx, next, path, type }) => {
      const { principal } = ctx
      if (principal === undefined) throw new Refusal('not_signed_in', 'Sign in first.')
      if (roleRanks[principal.role] < roleRanks[role])
        throw new Refusal(
          'not_allowed',
          `This needs the role ${role}. You are signed in as ${principal.role}.`,
        )
      checkKey(principal, { path, type })
      return next({ ctx: { ...ctx, principal, scope: principal.tags } })
    })

const withoutInput = (role: Role, rule: Rule<undefined>) =>
  forRole(role, rule).use(async ({ ctx, next }) => {
    await checkRule(ctx, rule, undefined)
    await checkFresh(ctx, rule, undefined)
    return next()
  })

const withInput = <Input extends z.ZodType>(role: Role, rule: Rule<z.output<Input>>, schema: Input) =>
  forRole(role, rule as AnyRule)
    .input(schema)
    .use(async ({ ctx, next, input }) => {
      await checkRule(ctx, rule, input as z.output<Input>)
      await checkFresh(ctx, rule, input as z.output<Input>)
      return next()
    })

type InputRule<Input extends z.ZodType> = Rule<z.output<Input>> & { input: Input }

/**
 * The base procedure of a role. `input` is part of the rule: what the call is about is read from it, and refused, before a
 * resolver runs. With `of: 'fleet'` the resolver itself has to keep to `ctx.scope`.
 */
function baseFor(role: Role) {
  function procedure<Input extends z.ZodType>(rule: InputRule<Input>): ReturnType<typeof withInput<Input>>
  function procedure(rule: Rule<undefined> & { input?: undefined }): ReturnType<typeof withoutInput>
  function procedure({ input, ...rule }: AnyRule & { input?: z.ZodType | undefined }): unknown {
    return input === undefined ? withoutInput(role, rule) : withInput(role, rule, input)
  }
  return procedure
}

export const router = t.router
/** May look. */
export const viewer = baseFor('viewer')
/** May also run, cancel, test and pause. */
export const operator = baseFor('operator')
/** May also let machines in and change what they do, and where to. */
export const admin = baseFor('admin')
