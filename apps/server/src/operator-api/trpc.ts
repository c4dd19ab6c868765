// The operator side of tRPC: superjson, our errors, and three base procedures by role. There is no fourth, and none without a rule.
import { initTRPC, type ProcedureType } from '@trpc/server'
import superjson from 'superjson'
import type { z } from 'zod'
import { Refusal } from '@restic-manager/contract/refusal'
import { type Role, roleRanks } from '@restic-manager/contract/role'
import type { OperatorContext } from '../context.ts'
import type { Db } from '../db/open.ts'
import { actorOf } from '../fleet/audit.ts'
import { makeChange } from '../fleet/audited.ts'
import { asWireError, formatError } from '../wire-errors.ts'
import { type AnyRule, checkFresh, checkKey, checkRule, type Rule, subjectOf } from './rules.ts'

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
      ctx.takeCall?.()
      if (roleRanks[principal.role] < roleRanks[role])
        throw new Refusal(
          'not_allowed',
          `This needs the role ${role}. You are signed in as ${principal.role}.`,
        )
      checkKey(principal, { path, type })
      return next({ ctx: { ...ctx, principal, scope: principal.tags } })
    })

type Checked<Input> = {
  ctx: OperatorContext & { principal: NonNullable<OperatorContext['principal']> }
  path: string
  type: ProcedureType
  rule: Rule<Input>
  input: Input
}
/** Does something once the transaction of a mutation has been committed. Never to be counted on: the server may end before. */
type Afterwards = (act: (db: Db) => Promise<void>) => void
const noAfterwards: Afterwards = () => {
  throw new Error('only a mutation has something after it')
}

/** What a call that went on comes to. */
type Outcome = { ok: true; data: unknown } | { ok: false; error: Error }

/**
 * Checks a call against its rule. Every mutation then runs in a transaction of its own, `db`, which also holds its row of the audit
 * log: what is refused leaves neither, and nothing that changes can be forgotten there.
 */
async function govern<Input, Went extends Outcome>(
  { ctx, path, type, rule, input }: Checked<Input>,
  go: (db: Db, afterwards: Afterwards) => Promise<Went>,
): Promise<Went> {
  await checkRule(ctx, rule, input)
  await checkFresh(ctx, rule, input)
  if (type !== 'mutation') return go(ctx.db, noAfterwards)
  const actor = actorOf(ctx.principal, ctx.address)
  const subject = (went?: Outcome) =>
    subjectOf(ctx.principal, rule, input, went?.ok === true ? went.data : undefined)
  let left: ((db: Db) => Promise<void>)[] = []
  const went = await makeChange(
    ctx.db,
    { actor, action: path, subject, input, always: rule.reveals === true },
    async db => {
      left = []
      const outcome = await go(db, act => left.push(act))
      if (!outcome.ok) throw outcome.error
      return outcome
    },
  )
  for (const act of left)
    await act(ctx.db).catch(() => ctx.log.warn({ procedure: path }, 'what follows a change has to wait'))
  return went
}

const withoutInput = (role: Role, rule: Rule<undefined>) =>
  forRole(role, rule).use(({ ctx, next, path, type }) =>
    govern({ ctx, path, type, rule, input: undefined }, (db, afterwards) =>
      next({ ctx: { db, afterwards } }),
    ),
  )

const withInput = <Input extends z.ZodType>(role: Role, rule: Rule<z.output<Input>>, schema: Input) =>
  forRole(role, rule as AnyRule)
    .input(schema)
    .use(({ ctx, next, path, type, input }) =>
      govern({ ctx, path, type, rule, input: input as z.output<Input> }, (db, afterwards) =>
        next({ ctx: { db, afterwards } }),
      ),
    )

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
