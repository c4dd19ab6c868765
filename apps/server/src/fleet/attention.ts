// Keeps the list of what needs a person in step with what is wrong: raises, counts on, and clears by itself.
import { sql } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import { reasonSentence } from '@restic-manager/contract/reasons'
import { notifyAll, telling } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { readKinds, type Trouble, troubles } from './troubles.ts'

/** Alerts that are written in one step: what is beyond waits for the next. */
const STEP = 2_000

/**
 * Raises what is wrong and not raised yet, brings up to date what is, and clears what is over. Whatever somebody acknowledged stays so
 * until it is over; when it happens again that is a new alert. Answers how many were raised or cleared. Safe to run anywhere, at any time.
 */
export async function keepAttention(db: Db): Promise<{ raised: number; cleared: number }> {
  const [found] = await db.execute<{ cleared: number; fresh: Trouble[] | null }>(sql`
    with wrong(kind, subject, host_id, repository_id, schedule_id, job_id, reason, since, last_good_at, count, facts) as materialized (
      ${troubles}
    ), cleared as (
      update alerts set cleared_at = now()
      where alerts.cleared_at is null and alerts.kind in ${[...readKinds]}
        and not exists (select 1 from wrong where wrong.kind = alerts.kind and wrong.subject = alerts.subject)
      returning ${telling('alert', sql`alerts.id`)}
    )
    select (select count(*)::integer from cleared) as cleared, (select jsonb_agg(fresh) from (
      select wrong.* from wrong
      left join alerts on alerts.kind = wrong.kind and alerts.subject = wrong.subject and alerts.cleared_at is null
      where alerts.id is null
        or (alerts.job_id, alerts.reason, alerts.count) is distinct from (wrong.job_id, wrong.reason, wrong.count)
      order by wrong.kind, wrong.subject limit ${STEP}) fresh) as fresh`)
  const fresh = found?.fresh ?? []
  const raised = fresh.length === 0 ? 0 : await raise(db, fresh)
  return { raised, cleared: found?.cleared ?? 0 }
}

async function raise(db: Db, fresh: readonly Trouble[]): Promise<number> {
  return db.transaction(async tx => {
    const raised = await putTroubles(tx, fresh)
    await notifyAll(tx, { alert: raised })
    return raised.length
  })
}

async function putTroubles(tx: Db, fresh: readonly Trouble[]): Promise<string[]> {
  const rows = fresh.map(trouble => Object.assign({ id: newId() }, trouble, wordsOf(trouble)))
  const put = await tx.execute<{ id: string }>(sql`
    insert into alerts (id, kind, subject, host_id, repository_id, schedule_id, job_id, reason, since, last_good_at, count, sentence, detail)
    select id, kind, subject, host_id, repository_id, schedule_id, job_id, reason, since, last_good_at, count, sentence, detail
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as row(id uuid, kind text, subject uuid, host_id uuid, repository_id uuid,
      schedule_id uuid, job_id uuid, reason text, since timestamptz, last_good_at timestamptz, count integer, sentence text, detail text)
    on conflict (kind, subject) where cleared_at is null do update set
      job_id = excluded.job_id, reason = excluded.reason, last_good_at = excluded.last_good_at, count = excluded.count,
      sentence = excluded.sentence, detail = excluded.detail, last_seen_at = now()
    returning id`)
  return put.map(({ id }) => id)
}

const times = (count: number) =>
  count === 1 ? '' : count === 2 ? ' twice in a row' : ` ${count} times in a row`
const many = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`

/** What is wrong in one sentence, and why and what still holds in another. Neither says how long ago: the times do. */
export function wordsOf({ kind, count, reason, facts }: Trouble): {
  sentence: string
  detail: string | null
} {
  const { files = 0, missed = 0, name, text, pid } = facts
  const why = reason === null ? null : (reasonSentence(reason) ?? reason)
  switch (kind) {
    case 'backup_failed':
      return { sentence: `The backup failed${times(count)}.`, detail: why }
    case 'backup_lost':
      return { sentence: 'How the backup ended is not known.', detail: why }
    case 'backup_incomplete':
      return {
        sentence:
          files === 1 && text !== undefined && text !== null
            ? `1 file could not be read: ${text}`
            : `${many(files, 'file')} could not be read.`,
        detail: 'The restore point is valid and holds everything else.',
      }
    case 'retention_failed':
      return { sentence: `Retention failed${times(count)}: nothing old is let go.`, detail: why }
    case 'retention_overdue':
      return { sentence: 'Retention has not succeeded for two of its periods.', detail: null }
    case 'prune_failed':
      return { sentence: `The prune failed${times(count)}: no room is freed.`, detail: why }
    case 'check_failed':
      return { sentence: `The check failed${times(count)}.`, detail: why }
    case 'check_overdue':
      return { sentence: 'The repository was not verified for two periods of its check.', detail: null }
    case 'repository_locked':
      return {
        // Not whose: of a repository that many share, whoever sees this need not see that host. The repository itself says it.
        sentence: 'A lock is left over, and no job that is known here holds it.',
        detail:
          pid === undefined ? null : `Its process was ${pid}. Retention, prunes and checks wait for it.`,
      }
    case 'host_late':
      return {
        sentence: 'Its last good backup is older than its plan promises.',
        detail: missed === 0 ? null : `${many(missed, 'slot')} passed unused.`,
      }
    case 'host_silent':
      return {
        sentence:
          missed === 0
            ? 'Nothing is heard of it.'
            : `Nothing is heard of it, and ${many(missed, 'slot')} passed unused.`,
        detail: null,
      }
    case 'slots_missed':
      return {
        sentence: `${many(missed, 'slot')} passed unused.`,
        detail: 'Its last good backup is still young enough.',
      }
    case 'schedule_rejected':
      return { sentence: `It turned the schedule “${name ?? ''}” down.`, detail: text ?? why }
    case 'schedule_drift':
      return {
        sentence: 'It has not taken over its newest plan.',
        detail: `It has version ${facts.has ?? 0} of ${facts.wanted ?? 0}, and works by that.`,
      }
  }
}
