// The tables of the agent's memory, as steps from one version to the next. A step that was released is never edited.

/** Facts waiting to be told, and jobs. */
const factsAndJobs = `
create table meta (name text primary key, value text not null) strict, without rowid;
create table lanes (lane text primary key, last_seq integer not null) strict, without rowid;
insert into lanes values ('first', 0), ('rest', 0);
create table facts (
  lane text not null, seq integer not null, name text not null, job_id text, scope text,
  payload text not null, created_at integer not null, acked_at integer, set_aside text,
  primary key (lane, seq)
) strict, without rowid;
create index facts_waiting on facts (lane, seq) where acked_at is null and set_aside is null;
create index facts_acked on facts (acked_at) where acked_at is not null;
create index facts_scope on facts (scope) where scope is not null;
create index facts_job on facts (job_id, name);
create table jobs (
  id text primary key, kind text not null, header text not null, spec text not null,
  config_version integer not null, state text not null, refusal text, accepted_at integer not null,
  proceed integer, cancelled integer not null default 0, pid integer, pid_started text,
  started_at integer, status text, ended_at integer, ended_seq integer
) strict, without rowid;
create index jobs_open on jobs (accepted_at) where state in ('accepted', 'starting', 'running');
create index jobs_ended on jobs (ended_at) where ended_at is not null;
`

/**
 * The plan and its slots. All instants are Unix milliseconds. `schedules.through`: every slot up to it has been counted,
 * and each of them is a row of `slots` or lies in a range there; `pruned_through`: up to here such rows may be gone.
 * `stopped`: why the schedule does not fire, where its own body does not say so. A row of `slots` is one slot, or with
 * `oldest` < `slot` a range that did not run. `fire_seq`: the fact that asked the server. `place`: jobs in the order they came.
 */
const planAndSlots = `
create table schedules (
  id text primary key, body text not null, stopped text, through integer not null,
  pruned_through integer not null default 0
) strict, without rowid;
create table slots (
  schedule_id text not null, slot integer not null, oldest integer not null, count integer not null default 1,
  fire_at integer not null, state text not null, outcome text, reason text, fire_seq integer, answer text,
  primary key (schedule_id, slot)
) strict, without rowid;
create index slots_open on slots (slot) where state <> 'done';
create index slots_fire on slots (fire_seq) where fire_seq is not null;
create index facts_fires on facts (seq) where name = 'schedule.fire' and acked_at is null and set_aside is null;
alter table jobs add column schedule_id text;
alter table jobs add column slot integer;
alter table jobs add column elevated integer not null default 0;
alter table jobs add column place integer not null default 0;
update jobs set schedule_id = json_extract(header, '$.scheduleId');
update jobs set place = (select count(*) from jobs earlier where (earlier.accepted_at, earlier.id) <= (jobs.accepted_at, jobs.id))
  where state in ('accepted', 'starting', 'running');
drop index jobs_open;
create index jobs_open on jobs (place) where state in ('accepted', 'starting', 'running');
create index jobs_place on jobs (place)
`

/** Facts the server refused are counted with every heartbeat. */
const factsSetAside = `create index facts_aside on facts (created_at) where set_aside is not null`

/** The nth step makes version n of what version n − 1 left. */
export const schemaSteps = [factsAndJobs, planAndSlots, factsSetAside] as const
