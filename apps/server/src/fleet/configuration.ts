// A host's configuration: its version, what it holds, and the one door for changing it.
import { sql } from 'drizzle-orm'
import type { ConfigAck, ConfigUpdate, RepositoryAccess } from '@restic-manager/contract/repository'
import type { HostSession } from '../context.ts'
import { tellingAll } from '../db/bus.ts'
import { isOneOf } from '../db/listed.ts'
import type { Db } from '../db/open.ts'
import type { Seal } from '../db/seal.ts'
import type { SealPlace } from '../db/sealed-columns.ts'
import { arriving, together } from '../db/together.ts'
import { askedSessions, isAskedSession } from './asked-sessions.ts'
import { fenced } from './facts.ts'

type Change<T> = (tx: Db) => Promise<{ result: T; hostIds: Iterable<string> }>

/**
 * Every change of what hosts are configured with goes through here, so that a version can never stay behind its content.
 * `change` answers with the hosts whose configuration it touched; their versions rise and their agents are told. A report of
 * an agent takes its host before the repository, an operator's change the other way round: one of the two begins again, so
 * `change` must do nothing outside of `tx`.
 */
export async function changeConfiguration<T>(db: Db, change: Change<T>): Promise<T> {
  return db.transaction(tx => changeOnce(tx, change))
}

async function changeOnce<T>(tx: Db, change: Change<T>): Promise<T> {
  const { result, hostIds } = await change(tx)
  const touched = [...new Set(hostIds)]
  if (touched.length === 0) return result
  // Locked in the order of their ids: two changes that meet on the same hosts wait, and neither blocks the other for ever.
  await tx.execute(sql`
    with held as (
      select hosts.id from hosts where ${isOneOf(sql`hosts.id`, touched)} order by hosts.id for no key update
    ), raised as (
      update hosts set config_version = config_version + 1 from held where hosts.id = held.id
      returning hosts.id
    )
    select ${tellingAll('orders', sql`select id from raised`)}, ${tellingAll('host', sql`select id from raised`)}`)
  return result
}

/** Where a credential's secret is sealed to. */
export const placeOf = (credentialId: string): SealPlace => ({
  table: 'credentials',
  row: credentialId,
  column: 'sealed',
})

/** What stands with a host itself. `version` is read first: what comes with it may only be newer. */
type Settings = { hostId: string; version: number; maxConcurrentRuns: number; hookShell?: string | null }

/** The whole configuration of a host, secrets opened. Everyday access only: an admin credential is never even read here. */
export async function configurationOf(
  db: Db,
  seal: Seal,
  { hostId, version, maxConcurrentRuns, hookShell }: Settings,
): Promise<ConfigUpdate> {
  const shared = (await accessOf(db, hostId)) ?? []
  const access = shared.flatMap(one => (one.opened ??= accessFrom(one.rows, seal)))
  return { version, maxConcurrentRuns, repositories: access, ...(hookShell == null ? {} : { hookShell }) }
}

/** What is known of one repository, for all hosts that are asked for together: its secrets are opened once. */
type SharedAccess = { rows: AccessRow[]; opened?: RepositoryAccess[] }

/** A row for each secret of a repository, however many hosts use it: what they share is read and sent once. */
const accessOf = together<string, SharedAccess[]>(async (db, hostIds) => {
  const rows = await db.execute<AccessRow & { askers: number[] }>(sql`
    with used as materialized (
      select host_repositories.repository_id as id, json_agg(listed.at - 1) as askers
      from jsonb_array_elements_text(${JSON.stringify(hostIds)}::jsonb) with ordinality as listed(id, at)
      join host_repositories on host_repositories.host_id = listed.id::uuid
      group by host_repositories.repository_id
    )
    select used.askers, repositories.id as "repositoryId", repositories.restic_id as "resticId", repositories.url,
      repositories.username, repositories.environment, repositories.may_delete as "mayDelete",
      credentials.id as "credentialId", credentials.purpose, credentials.sealed
    from used join repositories on repositories.id = used.id
    join credentials on credentials.repository_id = used.id and credentials.purpose in ('password', 'everyday')
    order by used.id`)
  const answers: SharedAccess[][] = hostIds.map(() => [])
  for (const of of Map.groupBy(rows, row => row.repositoryId).values()) {
    const one = { rows: of }
    for (const at of of[0]?.askers ?? []) answers[at]?.push(one)
  }
  return answers
}, arriving)

type AccessRow = {
  repositoryId: string
  resticId: string | null
  url: string
  username: string | null
  environment: Record<string, string>
  mayDelete: boolean
  credentialId: string
  purpose: 'password' | 'everyday'
  sealed: string
}

/** Nothing for a repository without a password: no restic could open it. */
function accessFrom(rows: AccessRow[], seal: Seal): RepositoryAccess[] {
  const [row] = rows
  const secret = (purpose: AccessRow['purpose']) => {
    const found = rows.find(candidate => candidate.purpose === purpose)
    return found && seal.open(found.sealed, placeOf(found.credentialId))
  }
  const password = secret('password')
  const credential = secret('everyday')
  if (row === undefined || password === undefined) return []
  return [
    {
      repositoryId: row.repositoryId,
      url: row.url,
      password: password.reveal(),
      mayDelete: row.mayDelete,
      environment: row.environment,
      ...(row.resticId === null ? {} : { resticId: row.resticId }),
      ...(row.username === null ? {} : { username: row.username }),
      ...(credential === undefined ? {} : { credential: credential.reveal() }),
    },
  ]
}

/**
 * The host has this version on disk and in use. Safe to deliver twice, and after a later one of the same session: what a host
 * applied it never takes back without a hello. Throws `session_fenced`.
 */
export async function ackConfiguration(db: Db, host: HostSession, ack: ConfigAck): Promise<void> {
  const { id, session, timeline } = host
  const { version, appliedAt } = ack
  const acked = await keepAck(db, { id, session, timeline, version, appliedAt })
  if (acked === undefined) throw fenced()
}

/** What is known already is only looked at: a fleet that comes back with what it had writes nothing. */
const keepAck = together<HostSession & ConfigAck, true>(async (db, acks, alone) => {
  const answers: true[] = []
  const rows = await db.execute<{ at: number }>(sql`
    with asked as materialized (
      select asked.*, hosts.applied_config_version > asked.version
        or (hosts.applied_config_version = asked.version and hosts.config_applied_at is not null) as "isKnown"
      from hosts join ${askedSessions(acks, sql`, version integer, "appliedAt" timestamptz`)} on ${isAskedSession}
    ), held as (
      select asked.* from hosts join asked on ${isAskedSession} and not asked."isKnown"
      order by hosts.id for no key update of hosts ${alone ? sql`` : sql`skip locked`}
    ), kept as (
      update hosts set applied_config_version = greatest(hosts.applied_config_version, held.version),
        config_applied_at = case when hosts.applied_config_version <= held.version then held."appliedAt" else hosts.config_applied_at end
      from held where hosts.id = held.id
      returning held.at, hosts.id
    ), told as (select ${tellingAll('host', sql`select id from kept`)} as told)
    select at, null as told from asked where "isKnown" union all select at, told from kept, told`)
  for (const { at } of rows) answers[at] = true
  return answers
}, arriving)
