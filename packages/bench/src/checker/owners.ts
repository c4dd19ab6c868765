// I7: every row hangs on its own host, by the rows themselves and by the keys of the tables.
import { shownBy, type Check, type World } from './world.ts'

/**
 * Tables that name a host and a job that need not be of that host: what others told, with bare ids of what may be gone, and what
 * is summed up for a host whose maintenance host ran the job.
 */
const looseJobs = new Set(['snapshots', 'alerts', 'standings'])

/** Tables that outlive the hosts they name, or are written where no lock on the host may be waited for. */
const looseHosts = new Set(['audit_event_hosts', 'outcome_changes'])

export const checkOwners: Check = async world => [
  ...shownBy(
    'I7',
    'A table names a host and a job and does not tie them together.',
    await looseTables(world),
  ),
  ...shownBy('I7', 'A table names a host that it is not tied to.', await hostless(world)),
  ...shownBy('I7', 'A row belongs to another host than its job.', await strayRows(world)),
  ...shownBy('I7', 'A job stands under another host than the one that ran it.', foreignJobs(world)),
]

/** Tables with `host_id` and `job_id` need one key over both; a partition has it from its table. */
async function looseTables({ sql }: World) {
  const rows = await sql<{ table: string }[]>`
    select c.relname as table from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind in ('r', 'p')
      and exists (select 1 from pg_attribute where attrelid = c.oid and attname = 'job_id' and not attisdropped)
      and exists (select 1 from pg_attribute where attrelid = c.oid and attname = 'host_id' and not attisdropped)
      and not exists (select 1 from pg_constraint k where k.conrelid = c.oid and k.contype = 'f' and k.confrelid = 'jobs'::regclass
        and (select array_agg(attname::text order by attname) from pg_attribute where attrelid = c.oid and attnum = any (k.conkey))
          = array['host_id', 'job_id'])
    order by 1`
  return rows.filter(({ table }) => !looseJobs.has(table))
}

/** Tables with `host_id` are tied to hosts by it, or through the jobs of that host. */
async function hostless({ sql }: World) {
  const rows = await sql<{ table: string }[]>`
    select c.relname as table from pg_class c join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'host_id' and not a.attisdropped
    where n.nspname = 'public' and c.relkind in ('r', 'p')
      and not exists (select 1 from pg_constraint k where k.conrelid = c.oid and k.contype = 'f'
        and a.attnum = any (k.conkey) and k.confrelid in ('hosts'::regclass, 'jobs'::regclass))
    order by 1`
  return rows.filter(({ table }) => !looseHosts.has(table))
}

async function strayRows({ sql }: World) {
  return sql`
    select 'progress' as what, p.job_id::text as id, p.host_id::text, j.host_id::text as owner
      from job_progress p join jobs j on j.id = p.job_id where j.host_id <> p.host_id
    union all select distinct 'log', l.job_id::text, l.host_id::text, j.host_id::text
      from log_blocks l left join jobs j on j.id = l.job_id where j.host_id is distinct from l.host_id
    union all select 'snapshot', s.id, s.host_id::text, j.host_id::text
      from snapshots s join jobs j on j.id = s.job_id where j.host_id is distinct from s.host_id
    union all select 'slot', j.id::text, j.host_id::text, s.host_id::text
      from jobs j join schedules s on s.id = j.schedule_id where s.host_id <> coalesce(j.for_host_id, j.host_id)`
}

function foreignJobs({ books, jobs }: World): unknown[] {
  return books.flatMap(({ hostId, facts }) =>
    facts.flatMap(({ name, message, acked }) => {
      const row = name === 'job.started' && acked ? jobs.get(String(message['jobId'])) : undefined
      return row === undefined || row.hostId === hostId
        ? []
        : [{ jobId: row.id, ranOn: hostId, standsUnder: row.hostId }]
    }),
  )
}
