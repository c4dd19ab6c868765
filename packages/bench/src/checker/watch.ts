// From now on the database itself notes every step of every job and every change of a timetable, so that paths can be judged, not only ends.
import type postgres from 'postgres'

/** One thing noted of a job's row. `at` rises in the order of the notes; a row that was removed has no status any more. */
export type Move = {
  at: number
  jobId: string
  step: 'insert' | 'update' | 'delete'
  status: string
  reported: boolean
}

/** How a schedule stood after a change: by what it is to be counted, and by what it is. `editedAt`: when an operator changed it last. */
export type PlanNote = {
  at: number
  scheduleId: string
  cron: string | null
  timeZone: string
  isLive: boolean
  countedCron: string | null
  countedTimeZone: string | null
  countedFrom: Date | null
  repositoryIds: string[]
  editedAt: Date
}

/** What installs the notes, one statement each. What was there before is noted as it stands. */
export const watchStatements: readonly string[] = [
  `create schema watch`,
  `create table watch.moves (
     at bigint generated always as identity primary key, job_id uuid not null, step text not null,
     status text not null, reported boolean not null)`,
  `create index moves_of on watch.moves (job_id, at)`,
  `create table watch.plans (
     at bigint generated always as identity primary key, schedule_id uuid not null, cron text, time_zone text not null,
     is_live boolean not null, counted_cron text, counted_time_zone text, counted_from timestamptz,
     repository_ids uuid[] not null, edited_at timestamptz not null)`,
  `create function watch.note_move() returns trigger language plpgsql as $$ begin
     if tg_op = 'DELETE' then
       insert into watch.moves (job_id, step, status, reported) values (old.id, 'delete', old.status, old.reported);
     elsif tg_op = 'INSERT' or (old.status, old.reported) is distinct from (new.status, new.reported) then
       insert into watch.moves (job_id, step, status, reported) values (new.id, lower(tg_op), new.status, new.reported);
     end if;
     return null;
   end $$`,
  `create trigger note_move after insert or update or delete on jobs for each row execute function watch.note_move()`,
  `create function watch.note_plan() returns trigger language plpgsql as $$ begin
     insert into watch.plans (schedule_id, cron, time_zone, is_live, counted_cron, counted_time_zone, counted_from, repository_ids, edited_at)
     values (new.id, new.cron, new.time_zone, new.enabled and not new.manual and new.deleted_at is null and new.rejected_code is null,
       new.counted_cron, new.counted_time_zone, new.counted_from, new.repository_ids, coalesce(new.deleted_at, new.updated_at));
     return null;
   end $$`,
  `create trigger note_new_plan after insert on schedules for each row execute function watch.note_plan()`,
  `create trigger note_plan after update on schedules for each row
     when ((old.cron, old.time_zone, old.enabled, old.manual, old.deleted_at, old.rejected_code, old.counted_cron,
            old.counted_time_zone, old.counted_from, old.repository_ids)
       is distinct from (new.cron, new.time_zone, new.enabled, new.manual, new.deleted_at, new.rejected_code, new.counted_cron,
            new.counted_time_zone, new.counted_from, new.repository_ids))
     execute function watch.note_plan()`,
  `insert into watch.moves (job_id, step, status, reported) select id, 'insert', status, reported from jobs`,
]

/** Installs the notes. Call it once, before anything happens. */
export async function watchDatabase(sql: postgres.Sql): Promise<void> {
  await sql.begin(async tx => {
    for (const statement of watchStatements) await tx.unsafe(statement)
  })
}

/** Every note about jobs, by job, in the order it was taken. */
export async function readMoves(sql: postgres.Sql): Promise<Map<string, Move[]>> {
  const rows = await sql<Move[]>`
    select at::float8, job_id as "jobId", step, status, reported from watch.moves order by at`
  return Map.groupBy(rows, move => move.jobId)
}

/** Every note about schedules, by schedule, in the order it was taken. */
export async function readPlanNotes(sql: postgres.Sql): Promise<Map<string, PlanNote[]>> {
  const rows = await sql<PlanNote[]>`
    select at::float8, schedule_id as "scheduleId", cron, time_zone as "timeZone", is_live as "isLive",
      counted_cron as "countedCron", counted_time_zone as "countedTimeZone", counted_from as "countedFrom",
      repository_ids as "repositoryIds", edited_at as "editedAt"
    from watch.plans order by at`
  return Map.groupBy(rows, note => note.scheduleId)
}
