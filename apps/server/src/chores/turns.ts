// Turns: several servers ask for the round of a chore, one of them gets it.
import { sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'

/** `periodMs`: how often a round is due. `rest`: what to do after rounds have not come for a while. */
export type Turn = {
  name: string
  periodMs: number
  /** When no server took a turn for `afterMs`, the turns go on but no round is done for `forMs`. So it is at the very first, too. */
  rest?: { afterMs: number; forMs: number }
}

/**
 * Whether this server does the round now. Asked by every server each period, by the clock of the database. Whoever gets the turn has
 * to do it; when that server dies or sleeps meanwhile, the next turn comes a period later, to any server.
 */
export async function takeTurn(db: Db, { name, periodMs, rest }: Turn): Promise<boolean> {
  // A little less than the period: who asks exactly once a period is never a moment too early.
  const next = sql`now() + ${Math.round(periodMs * 0.9)} * interval '1 millisecond'`
  const resting = `${name}, rest`
  const given = await db.execute(sql`
    with turn as (
      insert into chore_turns as mine (name, next_at) values (${name}, ${next})
      on conflict (name) do update set next_at = excluded.next_at where mine.next_at <= now()
      returning name
    ), broken as (
      insert into chore_turns (name, next_at)
      select ${resting}, now() + ${rest?.forMs ?? 0} * interval '1 millisecond' from turn
      where ${rest !== undefined} and not exists (
        select 1 from chore_turns before where before.name = ${name}
          and before.next_at > now() - ${rest?.afterMs ?? 0} * interval '1 millisecond')
      on conflict (name) do update set next_at = excluded.next_at
      returning name
    )
    select name from turn
    where not exists (select 1 from broken)
      and not exists (select 1 from chore_turns resting where resting.name = ${resting} and resting.next_at > now())`)
  return given.length === 1
}
