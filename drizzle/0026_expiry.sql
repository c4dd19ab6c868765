CREATE INDEX "jobs_retries" ON "jobs" USING btree ("retry_of","attempt") WHERE "jobs"."retry_of" is not null;--> statement-breakpoint
-- A job that goes because it is old takes nothing from the outcomes: what was counted stays.
create or replace function note_outcome() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and current_setting('restic_manager.expiring', true) = 'on' then
    return null;
  end if;
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
-- Rows that are more than a year old may expire, and nothing else may happen to any.
create or replace function refuse_change_of_audit_events() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and current_setting('restic_manager.expiring', true) = 'on' and old.at < now() - interval '365 days' then
    return old;
  end if;
  raise exception 'audit events are only ever added';
end
$$;
