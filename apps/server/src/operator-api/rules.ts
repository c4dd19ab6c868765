// What a procedure is about, and the checks that come from it: host tags, what a key is for, a fresh second factor.
import type { ProcedureType } from '@trpc/server'
import { Refusal } from '@restic-manager/contract/refusal'
import { isFresh } from '../auth/fresh.ts'
import type { OperatorContext, Principal } from '../context.ts'
import type { Db } from '../db/open.ts'
import type { Subject, SubjectKind } from '../fleet/audit-subjects.ts'
import { requireWithin, type Thing } from '../fleet/scope.ts'

/**
 * What a field of an input names. `installation`: only who sees every host may send it. `own hosts`: hosts, at least one.
 * `own tags`: tags, of which one has to be among one's own.
 */
export type FieldKind = Thing['kind'] | 'installation' | 'own hosts' | 'own tags'

/**
 * `of`: the fields that name what the call is about; or `fleet` for what keeps to `ctx.scope` by itself, such as a list; or
 * `installation` for what concerns everybody; or `self` for one's own account and for what concerns nobody. `also`: more that
 * it is about, read from the rest of the input or from what that names; looked at after `of`. `fresh`: the strongest factor of the account has to have been shown just now.
 *
 * A mutation is written down in the audit log as being about the first thing that `of` names, about one's own account, or about the
 * settings. Where that is not it: `about` is the field that names it, and `makes` the field of the answer. A mutation that
 * wrote nothing leaves no row, unless it `reveals` something.
 */
export type Rule<Input> = {
  of: 'self' | 'fleet' | 'installation' | Partial<Record<keyof Input & string, FieldKind>>
  also?: (input: Input, db: Db) => readonly Thing[] | Promise<readonly Thing[]>
  about?: Named
  makes?: Named
  reveals?: true
  fresh?: true | ((input: Input, db: Db) => boolean | Promise<boolean>)
}

type Named = { kind: SubjectKind; field: string }

/** A rule as it stands beside a procedure, whatever that takes. */
// oxlint-disable-next-line typescript/no-explicit-any -- each rule reads the input of its own procedure
export type AnyRule = Rule<any>

type Asked = Pick<OperatorContext, 'db'> & { principal: Principal }

/** Refuses what is outside of the principal's tags as if it were not there. */
export async function checkRule<Input>(
  { db, principal }: Asked,
  rule: Rule<Input>,
  input: Input,
): Promise<void> {
  const { tags } = principal
  if (tags === undefined || rule.of === 'self' || rule.of === 'fleet') return
  if (rule.of === 'installation') throw onlyForAll()
  const things: Thing[] = []
  for (const [field, kind] of Object.entries(rule.of) as [keyof Input, FieldKind][]) {
    const value: unknown = input[field]
    if (kind === 'own tags') checkOwnTags(tags, value)
    else if (kind === 'own hosts' && idsIn(value).length === 0)
      throw new Refusal('not_allowed', 'Choose at least one of your hosts.')
    if (kind === 'own tags' || value === undefined || value === null) continue
    if (kind === 'installation') throw onlyForAll()
    for (const id of idsIn(value)) things.push({ kind: kind === 'own hosts' ? 'host' : kind, id })
  }
  await requireWithin(db, tags, [...things, ...((await rule.also?.(input, db)) ?? [])])
}

/** What the audit log says that a mutation is about. `answer`: once there is one. Undefined: not known yet. */
export function subjectOf<Input>(
  { operatorId }: Principal,
  { of, about, makes }: Rule<Input>,
  input: Input,
  answer?: unknown,
): Subject | undefined {
  const named = ({ kind, field }: Named, of: unknown): Subject | undefined => {
    const id = ((of ?? {}) as Record<string, unknown>)[field]
    return typeof id === 'string' ? { kind, id } : undefined
  }
  if (makes !== undefined) return named(makes, answer)
  if (about !== undefined) return named(about, input)
  if (of === 'self') return { kind: 'operator', id: operatorId }
  if (typeof of === 'string') return { kind: 'settings', id: 'settings' }
  for (const [field, kind] of Object.entries(of) as [string, FieldKind][]) {
    const known = isThing(kind) && (kind === 'shared repository' ? 'repository' : kind)
    const subject = known === false ? undefined : named({ kind: known, field }, input)
    if (subject !== undefined) return subject
  }
  return undefined
}

const isThing = (kind: FieldKind): kind is Thing['kind'] => !/^(installation|own )/.test(kind)

const idsIn = (value: unknown): string[] => (Array.isArray(value) ? value : [value ?? []].flat()).map(String)

const onlyForAll = () =>
  new Refusal('not_allowed', 'This concerns every host, and you are limited to hosts with certain tags.')

function checkOwnTags(own: readonly string[], given: unknown) {
  if (!idsIn(given).some(tag => own.includes(tag)))
    throw new Refusal('not_allowed', `Give it at least one of your tags: ${own.join(', ')}.`)
}

/** Refuses an API key what it was not made for. Its scopes are `*`, or such as `jobs:read` and `jobs:write`. */
export function checkKey({ by }: Principal, { path, type }: { path: string; type: ProcedureType }): void {
  if (by.kind !== 'key' || by.scopes.includes('*')) return
  const scope = `${path.slice(0, path.indexOf('.'))}:${type === 'mutation' ? 'write' : 'read'}`
  if (!by.scopes.includes(scope))
    throw new Refusal('not_allowed', `This API key may not do this. It would need the scope ${scope}.`)
}

/** Refuses what needs a person who is there now. A key never is. */
export async function checkFresh<Input>(
  { db, principal }: Asked,
  { fresh }: Rule<Input>,
  input: Input,
): Promise<void> {
  if (fresh === undefined || (fresh !== true && !(await fresh(input, db)))) return
  if (principal.by.kind === 'key')
    throw new Refusal('not_allowed', 'An API key cannot do this. Sign in on the page and do it there.')
  if (!(await isFresh(db, principal.by)))
    throw new Refusal('second_factor_needed', 'Show again that it is you, then this is done.')
}
