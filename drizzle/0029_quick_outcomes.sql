-- Most jobs end once, on the day of their slot: what that adds is written as it stands, and what had no outcome takes nothing away.
create or replace function note_outcome() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and current_setting('restic_manager.expiring', true) = 'on' then
    return null;
  end if;
  if tg_op <> 'INSERT' and old.status not in ('queued', 'accepted', 'running') then
    insert into outcome_changes (host_id, schedule_id, repository_id, day, succeeded, incomplete, failed, lost, missed, skipped)
    select * from outcome_changes_of(old.host_id, old.schedule_id, old.repository_id, old.kind, old.status, coalesce(old.scheduled_for, old.created_at), old.not_run_from, old.slot_count, -1);
  end if;
  if tg_op = 'DELETE' or new.status in ('queued', 'accepted', 'running') or (new.kind <> 'backup' and new.schedule_id is null) then
    return null;
  end if;
  if new.slot_count <= 1 then
    insert into outcome_changes (host_id, schedule_id, repository_id, day, succeeded, incomplete, failed, lost, missed, skipped)
    values (new.host_id, new.schedule_id, new.repository_id, (coalesce(new.scheduled_for, new.created_at) at time zone 'utc')::date,
      (new.kind = 'backup' and new.status = 'succeeded')::integer, (new.kind = 'backup' and new.status = 'incomplete')::integer,
      (new.kind = 'backup' and new.status = 'failed')::integer, (new.kind = 'backup' and new.status = 'lost')::integer,
      (new.kind = 'backup' and new.status = 'missed')::integer,
      (new.kind = 'backup' and new.status in ('skipped', 'expired', 'cancelled'))::integer);
  else
    insert into outcome_changes (host_id, schedule_id, repository_id, day, succeeded, incomplete, failed, lost, missed, skipped)
    select * from outcome_changes_of(new.host_id, new.schedule_id, new.repository_id, new.kind, new.status, coalesce(new.scheduled_for, new.created_at), new.not_run_from, new.slot_count, 1);
  end if;
  return null;
end
$$;
