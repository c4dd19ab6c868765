// For tests only: one of everything that has an id, for one side of a fence, and fingerprints of all tables.
import { eq } from 'drizzle-orm'
import type postgres from 'postgres'
import { newId } from '@restic-manager/contract/ids'
import { snapshotTags } from '@restic-manager/contract/snapshots'
import { createApiKey } from './auth/api-keys.ts'
import { createInvitation } from './auth/invitations.ts'
import type { Principal } from './context.ts'
import type { Db } from './db/open.ts'
import { hostRepositories, hosts, jobs, repositories } from './db/schema.ts'
import { alerts } from './db/schema-alerts.ts'
import { apiKeys, operatorInvitations, operatorPasskeys } from './db/schema-operators.ts'
import type { Seal } from './db/seal.ts'
import { raiseAlert } from './fleet/alerts.ts'
import { createEnrolment } from './fleet/enrolments.ts'
import { cancelJob } from './fleet/jobs.ts'
import { keepSnapshotReport } from './fleet/snapshots.ts'
import { asAnna, makeHost, type TestHost } from './testing-fleet.ts'
import { signedIn } from './testing-routers.ts'
import { planOn } from './testing-schedules.ts'

/** The ids of one side, by the name of the field that would hold each. */
export type World = { host: TestHost; principal: Principal; tag: string; ids: Record<string, string> }

/** Makes a host with the tag and everything that hangs on it, and an account with everything that hangs on that. */
export async function makeWorld(db: Db, seal: Seal, tag: string): Promise<World> {
  const host = await makeHost(db, seal, `host-${tag}`)
  const { hostId, repositoryId } = host
  await db
    .update(hosts)
    .set({ tags: [tag] })
    .where(eq(hosts.id, hostId))
  const scheduleId = await planOn(db, host)
  const { jobId } = await host.backUp()
  await cancelJob(db, { jobId, ...asAnna })
  const snapshotId = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex')
  const time = new Date().toISOString()
  await keepSnapshotReport(db, host.sender, {
    ...host.fact(),
    ...{ repositoryId, reportId: newId(), scope: 'own', page: 0, pages: 1 },
    snapshots: [
      {
        ...{ id: snapshotId, shortId: snapshotId.slice(0, 8), time, hostname: `host-${tag}` },
        ...{ paths: ['/srv'], tags: [snapshotTags.host(hostId)], sizeBytes: 1, fileCount: 1 },
      },
    ],
  })
  const kind = 'foreign_ids' as const
  await raiseAlert(db, { kind, subject: hostId, hostId, sentence: 'Look.' })
  const [alert] = await db.select({ id: alerts.id }).from(alerts).where(eq(alerts.hostId, hostId))
  const wish = { requestId: newId(), lifeMinutes: 60, maxUses: 1, tags: [tag], createdBy: 'anna' }
  const { enrolmentId } = await createEnrolment(db, wish)
  const principal = await signedIn(db, 'admin', [tag])
  if (principal.by.kind !== 'session') throw new Error('a key')
  const { operatorId } = principal
  const passkeyId = newId()
  await db.insert(operatorPasskeys).values({
    ...{ id: passkeyId, operatorId, name: 'laptop', credentialId: passkeyId },
    ...{ publicKey: Buffer.alloc(1), counter: 0, backedUp: false },
  })
  await createApiKey(db, { email: principal.email, name: 'own' })
  const [key] = await db.select({ id: apiKeys.id }).from(apiKeys).where(eq(apiKeys.operatorId, operatorId))
  const email = `${newId()}@example.org`
  await createInvitation(db, { email, role: 'viewer', tags: null, createdBy: 'anna' })
  const [invitation] = await db
    .select({ id: operatorInvitations.id })
    .from(operatorInvitations)
    .where(eq(operatorInvitations.email, email))
  const account = { operatorId, sessionId: principal.by.sessionId, passkeyId }
  return {
    ...{ host, principal, tag },
    ids: {
      ...{ hostId, hostIds: hostId, maintenanceHostId: hostId },
      ...{ repositoryId, repositoryIds: repositoryId },
      ...{ scheduleId, scheduleIds: scheduleId, forgets: scheduleId },
      ...{ jobId, snapshotId, enrolmentId, alertId: alert?.id ?? '', ...account },
      ...{ keyId: key?.id ?? '', invitationId: invitation?.id ?? '' },
    },
  }
}

/**
 * What upkeep adds to a world: a host with the same tag that maintains a repository of its host, prunes it by plan, and thins it on
 * that host's behalf. The ids by the name of the field, as in a world.
 */
export async function addUpkeep(
  db: Db,
  seal: Seal,
  { host, tag, ids }: World,
): Promise<Record<string, string>> {
  const keeper = await makeHost(db, seal, `keeper-${tag}`)
  const { hostId, repositoryId } = keeper
  await db
    .update(hosts)
    .set({ tags: [tag] })
    .where(eq(hosts.id, hostId))
  await db.update(repositories).set({ maintenanceHostId: hostId }).where(eq(repositories.id, repositoryId))
  await db.insert(hostRepositories).values({ hostId: host.hostId, repositoryId })
  const scheduleId = await planOn(db, keeper, { name: 'prune', kind: 'prune', paths: undefined })
  const { jobId } = await keeper.backUp()
  await cancelJob(db, { jobId, ...asAnna })
  await db.update(jobs).set({ kind: 'forget', forHostId: host.hostId }).where(eq(jobs.id, jobId))
  return {
    ...{ ...ids, hostId, hostIds: hostId, maintenanceHostId: hostId, jobId },
    ...{
      repositoryId,
      repositoryIds: repositoryId,
      scheduleId,
      scheduleIds: scheduleId,
      forgets: scheduleId,
    },
  }
}

/** Columns that say whose a row is. */
const owning = ['id', 'host_id', 'for_host_id', 'maintenance_host_id', 'enrolment_id', 'operator_id']

/** A hash of all rows of each table; or, of each table that says whose its rows are, of those that belong to `of`. */
export async function tableHashes(sql: postgres.Sql, of?: World): Promise<Record<string, string>> {
  const tables = await sql<{ name: string; owned: string[] }[]>`
    select t.table_name as name, array(select c.column_name::text from information_schema.columns c
      where c.table_schema = 'public' and c.table_name = t.table_name and c.udt_name = 'uuid'
      and c.column_name = any(${owning})) as owned
    from information_schema.tables t where t.table_schema = 'public' and t.table_type = 'BASE TABLE' order by 1`
  const ids = Object.values(of?.ids ?? {}).filter(id => /^[0-9a-f-]{36}$/.test(id))
  const whose = (owned: string[]) =>
    of === undefined ? '' : ` where ${owned.map(name => `r."${name}" = any($1::uuid[])`).join(' or ')}`
  const parts = tables
    .filter(({ owned }) => of === undefined || owned.length > 0)
    .map(
      ({ name, owned }) =>
        `select '${name}' as name, (select md5(coalesce(string_agg(r::text, '|' order by r::text), ''))
          from "${name}" r${whose(owned)}) as hash`,
    )
  const parameters = of === undefined ? [] : [ids]
  const rows = await sql.unsafe<{ name: string; hash: string }[]>(parts.join(' union all '), parameters)
  return Object.fromEntries(rows.map(({ name, hash }) => [name, hash]))
}
