-- The days on which the slots of a job lie. A range of slots that did not run is spread evenly: that is how a timetable lies in it.
create or replace function outcome_days(slot timestamptz, from_slot timestamptz, slot_count integer)
returns table (day date, slots integer) language sql stable as $$
  select (slot at time zone 'utc')::date, 1
  where slot_count <= 1 or from_slot is null or from_slot >= slot
  union all
  select each.day::date, each.through - each.before
  from (
    select each_day as day,
      floor((least(extract(epoch from each_day at time zone 'utc') + 86400, extract(epoch from slot) + 0.001) - 0.001
        - extract(epoch from from_slot)) / nullif(extract(epoch from slot - from_slot) / nullif(slot_count - 1, 0), 0) + 0.0000001)::integer + 1 as through,
      case when extract(epoch from each_day at time zone 'utc') <= extract(epoch from from_slot) then 0
        else floor((extract(epoch from each_day at time zone 'utc') - 0.001 - extract(epoch from from_slot))
          / nullif(extract(epoch from slot - from_slot) / nullif(slot_count - 1, 0), 0) + 0.0000001)::integer + 1 end as before
    from generate_series(
      greatest((from_slot at time zone 'utc')::date, (slot at time zone 'utc')::date - 400)::timestamp,
      (slot at time zone 'utc')::date::timestamp, interval '1 day') as each_day
    where slot_count > 1 and from_slot < slot
  ) each
  where each.through > each.before
$$;
--> statement-breakpoint
-- What a job adds to the outcomes, or takes from them.
create or replace function outcome_changes_of(host uuid, schedule uuid, repository uuid, kind text, status text,
  slot timestamptz, from_slot timestamptz, slot_count integer, sign integer)
returns table (host_id uuid, schedule_id uuid, repository_id uuid, day date, succeeded integer, incomplete integer, failed integer, lost integer, missed integer, skipped integer)
language sql stable as $$
  select host, schedule, repository, days.day,
    sign * days.slots * (kind = 'backup' and status = 'succeeded')::integer,
    sign * days.slots * (kind = 'backup' and status = 'incomplete')::integer,
    sign * days.slots * (kind = 'backup' and status = 'failed')::integer,
    sign * days.slots * (kind = 'backup' and status = 'lost')::integer,
    sign * days.slots * (kind = 'backup' and status = 'missed')::integer,
    sign * days.slots * (kind = 'backup' and status in ('skipped', 'expired', 'cancelled'))::integer
  from outcome_days(slot, from_slot, slot_count) as days
  where status not in ('queued', 'accepted', 'running') and (kind = 'backup' or schedule is not null)
$$;
--> statement-breakpoint
create or replace function note_outcome() returns trigger language plpgsql as $$
begin
  if tg_op <> 'INSERT' then
    insert into outcome_changes (host_id, schedule_id, repository_id, day, succeeded, incomplete, failed, lost, missed, skipped)
    select * from outcome_changes_of(old.host_id, old.schedule_id, old.repository_id, old.kind, old.status, coalesce(old.scheduled_for, old.created_at), old.not_run_from, old.slot_count, -1);
  end if;
  if tg_op <> 'DELETE' then
    insert into outcome_changes (host_id, schedule_id, repository_id, day, succeeded, incomplete, failed, lost, missed, skipped)
    select * from outcome_changes_of(new.host_id, new.schedule_id, new.repository_id, new.kind, new.status, coalesce(new.scheduled_for, new.created_at), new.not_run_from, new.slot_count, 1);
  end if;
  return null;
end
$$;
--> statement-breakpoint
create trigger jobs_outcome_made after insert on jobs for each row
  when (new.status not in ('queued', 'accepted', 'running')) execute function note_outcome();
--> statement-breakpoint
create trigger jobs_outcome_changed after update of status, kind, host_id, schedule_id, repository_id, scheduled_for, not_run_from, slot_count, finished_at on jobs for each row
  when ((old.status, old.kind, old.host_id, old.schedule_id, old.repository_id, old.scheduled_for, old.not_run_from, old.slot_count, old.finished_at)
    is distinct from (new.status, new.kind, new.host_id, new.schedule_id, new.repository_id, new.scheduled_for, new.not_run_from, new.slot_count, new.finished_at)
    and not (old.status in ('queued', 'accepted', 'running') and new.status in ('queued', 'accepted', 'running')))
  execute function note_outcome();
--> statement-breakpoint
create trigger jobs_outcome_gone after delete on jobs for each row
  when (old.status not in ('queued', 'accepted', 'running')) execute function note_outcome();
--> statement-breakpoint
insert into host_days (host_id, day, succeeded, incomplete, failed, lost, missed, skipped)
select changes.host_id, changes.day, sum(changes.succeeded), sum(changes.incomplete), sum(changes.failed), sum(changes.lost), sum(changes.missed), sum(changes.skipped) from jobs, lateral outcome_changes_of(jobs.host_id, jobs.schedule_id, jobs.repository_id, jobs.kind, jobs.status, coalesce(jobs.scheduled_for, jobs.created_at), jobs.not_run_from, jobs.slot_count, 1) as changes
where jobs.kind = 'backup' group by 1, 2;
--> statement-breakpoint
insert into fleet_days (day, succeeded, incomplete, failed, lost, missed, skipped)
select changes.day, sum(changes.succeeded), sum(changes.incomplete), sum(changes.failed), sum(changes.lost), sum(changes.missed), sum(changes.skipped) from host_days changes group by 1;
--> statement-breakpoint
-- Says of every schedule that something changed: how it stands is read by the first server that starts.
insert into outcome_changes (host_id, schedule_id, repository_id, day)
select schedules.host_id, schedules.id, repository, current_date from schedules, unnest(schedules.repository_ids) as repository;
--> statement-breakpoint
insert into repository_days (repository_id, day, size_bytes)
select id, (stats_at at time zone 'utc')::date, size_bytes from repositories where size_bytes is not null and stats_at is not null;
