// A change and its row in the record, in one transaction: neither is ever there without the other.
import { sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { type Actor, writeAudit } from './audit.ts'
import { type AuditState, secretsSet } from './audit-mask.ts'
import { holdSubject, type Standing, standingOf, type Subject } from './audit-subjects.ts'

/**
 * Who does what. `subject` is asked before the change, and again after it, with the answer, for what only then has an id. `input` is
 * what was asked for; its secrets are masked. `always`: the row is written though nothing changes.
 */
export type Act<T> = {
  actor: Actor
  action: string
  subject: (answer?: T) => Subject | undefined
  input?: unknown
  always?: boolean
}

/**
 * Runs `change` and writes down what it changed, with how its subject stood before and after. A change that wrote nothing, such as a
 * request that is repeated, leaves no row; one that throws leaves nothing at all. The transaction may be begun again from its start,
 * so `change` must do nothing outside of `tx`.
 */
export async function makeChange<T>(db: Db, act: Act<T>, change: (tx: Db) => Promise<T>): Promise<T> {
  const { actor, action, subject, input, always = false } = act
  return db.transaction(async tx => {
    const known = subject()
    if (known !== undefined) await holdSubject(tx, known)
    const before = known && (await standingOf(tx, known))
    const answer = await change(tx)
    if (!always && !(await hasWritten(tx))) return answer
    const about = known ?? subject(answer)
    const after = about && (await standingOf(tx, about))
    const there = after ?? before
    const hostIds = new Set([...(before?.hostIds ?? []), ...(after?.hostIds ?? [])])
    await writeAudit(tx, {
      actor,
      action,
      target: about && { kind: about.kind, id: there?.id ?? about.id, name: there?.name },
      hostIds: hostIds.size === 0 ? null : [...hostIds],
      ...difference(before, after, input),
    })
    return answer
  })
}

/** Whether this transaction has changed anything so far; a row lock counts. PostgreSQL numbers only those that did. */
async function hasWritten(tx: Db): Promise<boolean> {
  const [row] = await tx.execute<{ wrote: boolean }>(
    sql`select pg_current_xact_id_if_assigned() is not null as wrote`,
  )
  return row?.wrote === true
}

/** Of a change only what changed; of what came or went all of it; where none of that shows, what was asked for. */
function difference(before: Standing | undefined, after: Standing | undefined, input: unknown) {
  const secrets = secretsSet(input)
  if (before === undefined || after === undefined)
    return before === after
      ? { after: asState(input) }
      : { before: before?.state, after: after && { ...after.state, ...secrets } }
  const names = [...new Set([...Object.keys(before.state), ...Object.keys(after.state)])]
  const changed = names.filter(name => !isSame(before.state[name], after.state[name]))
  if (changed.length === 0 && Object.keys(secrets).length === 0) return { after: asState(input) }
  const pick = (state: AuditState) => Object.fromEntries(changed.map(name => [name, state[name] ?? null]))
  return { before: pick(before.state), after: { ...pick(after.state), ...secrets } }
}

/** Both come from the same statement, so that equal things have equal texts. */
const isSame = (one: unknown, other: unknown) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null)

const asState = (input: unknown): AuditState | undefined =>
  typeof input === 'object' && input !== null ? { ...input } : undefined
