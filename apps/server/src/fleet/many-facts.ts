// Facts of many hosts in one statement, each under the fence of its own host.
import { type SQL, sql } from 'drizzle-orm'
import type { Fact } from '@restic-manager/contract/fact'
import { timing } from '@restic-manager/contract/timing'
import { createGate, type Gate } from '../db/gate.ts'
import type { Db } from '../db/open.ts'
import { together } from '../db/together.ts'
import { factsKept } from '../metrics.ts'
import { askedSessions, isAskedSession } from './asked-sessions.ts'
import type { Sender } from './facts.ts'

/** A fact and whose it is, as a statement reads them. */
export type Told<F extends Fact = Fact> = F & Sender
export const toldBy = <F extends Fact>({ sender, fact }: { sender: Sender; fact: F }): Told<F> => ({
  ...fact,
  ...sender,
})

/** How rows are taken: among many whoever is held by somebody else is left out, alone it is waited for. */
export type Taking = { alone: boolean }
export const lockOf = ({ alone }: Taking): SQL => (alone ? sql`` : sql`skip locked`)

/** The most text one fact brings into a statement with others, so that a batch of them stays small. */
const MOST_CHARS = 64 * 1024

/** How many facts are taken with care at a time: those that are taken together always find a place at the database beside them. */
const MOST_WITH_CARE = 8
const doors = new WeakMap<Db, Gate>()

function withCare<T>(db: Db, act: () => Promise<T>): Promise<T> {
  const door =
    doors.get(db) ?? createGate({ most: MOST_WITH_CARE, mostWaiting: 10_000, waitMs: timing.databaseWait })
  doors.set(db, door)
  return door.pass(act)
}

/**
 * Makes of a verb for many the verb for one fact. `carefully` is for whom it leaves out, and for whoever breaks it: one host in one
 * transaction, with every refusal.
 */
export function tellTogether<I extends { sender: Sender; fact: Fact }, O>(
  tellAll: (db: Db, told: readonly I[]) => Promise<readonly (O | undefined)[]>,
  carefully: (db: Db, told: I) => Promise<O>,
): (db: Db, told: I) => Promise<O> {
  const tell = together<I, O>(async (db, told, alone) => (alone ? [] : tellAll(db, told)))
  return async (db, told) => {
    const isLong = JSON.stringify(told.fact).length > MOST_CHARS
    return (isLong ? undefined : await tell(db, told)) ?? withCare(db, () => carefully(db, told))
  }
}

/**
 * How a statement about many facts begins, as `takeFact` for one. The tables `asked`, of several of one host the first, with these
 * columns; and `held`, those whose session is the newest, with their hosts and spools taken. `change`: it also updates the hosts.
 */
export const heldFacts = (
  told: readonly Told[],
  columns: SQL,
  { alone, lock }: Taking & { lock: 'share' | 'change' },
): SQL => sql`
  asked as materialized (
    select distinct on (asked.id) asked.* from ${askedSessions(told, sql`, "spoolEpoch" uuid, lane text, seq bigint, "occurredAt" timestamptz${columns}`)}
    order by asked.id, asked.at
  ), held as materialized (
    select asked.* from hosts join asked on ${isAskedSession}
    join spools on spools.host_id = asked.id and spools.epoch = asked."spoolEpoch"
    order by hosts.id
    for ${lock === 'share' ? sql`share` : sql`no key update`} of hosts ${lockOf({ alone })}
    for no key update of spools ${lockOf({ alone })}
  )`

/** The table `taken`: commits that the facts in `known` arrived, and names the hosts whose fact was new. */
export const takenFacts = sql`taken as (
    update spools set acked_first = case known.lane when 'first' then known.seq else spools.acked_first end,
      acked_rest = case known.lane when 'rest' then known.seq else spools.acked_rest end
    from known where spools.host_id = known.id and spools.epoch = known."spoolEpoch"
      and case known.lane when 'first' then spools.acked_first else spools.acked_rest end < known.seq
    returning spools.host_id
  )`

/** Whether the fact in `known` was not committed before. */
export const isNewFact = sql`known.id in (select taken.host_id from taken)`

/** Answers in the order they were told, and counts the facts that were new. To be called once all of it is committed. */
export function answersTo<F extends Fact, R extends { at: number; isNew: boolean }, O>(
  told: readonly Told<F>[],
  rows: readonly R[],
  answer: (fact: Told<F>, row: R) => O,
): (O | undefined)[] {
  const answers: (O | undefined)[] = told.map(() => undefined)
  for (const row of rows) {
    const fact = told[row.at]
    if (fact === undefined) continue
    if (row.isNew) factsKept.inc({ lane: fact.lane })
    answers[row.at] = answer(fact, row)
  }
  return answers
}
