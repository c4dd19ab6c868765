// What the record is about: each kind of thing, what it is called, the hosts it concerns, and what of it counts as changed.
import { and, eq, gt, isNull, or, sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { hosts, jobs, repositories, schedules } from '../db/schema.ts'
import { alerts } from '../db/schema-alerts.ts'
import { enrolments } from '../db/schema-enrolments.ts'
import { bulkActs, settings } from '../db/schema-server.ts'
import { operatorInvitations, operators } from '../db/schema-operators.ts'
import type { AuditState } from './audit-mask.ts'
import { draftOf } from './schedule-rows.ts'

export type SubjectKind =
  | 'host'
  | 'repository'
  | 'schedule'
  | 'job'
  | 'enrolment'
  | 'alert'
  | 'operator'
  | 'invitation'
  | 'settings'
  | 'bulk act'

/** Something a call is about. Operators and invitations may go by their e-mail. */
export type Subject = { kind: SubjectKind; id: string }

/** How something stands. Secrets are not in `state`, or are masked by their name when it is written down. */
export type Standing = { id: string; name: string; hostIds: string[] | null; state: AuditState }

/** Lets nobody else change the same thing through the audited door until this transaction ends: `before` stays true until then. */
export async function holdSubject(tx: Db, { kind, id }: Subject): Promise<void> {
  await tx.execute(
    sql`select pg_advisory_xact_lock(hashtextextended(${`audit ${kind} ${id.toLowerCase()}`}, 0))`,
  )
}

/** How something stands now; undefined when it is not there, or not any more. */
export const standingOf = (tx: Db, { kind, id }: Subject): Promise<Standing | undefined> =>
  readers[kind](tx, id)

const readers: Record<SubjectKind, (tx: Db, id: string) => Promise<Standing | undefined>> = {
  async host(tx, id) {
    const [row] = await tx
      .select()
      .from(hosts)
      .where(and(eq(hosts.id, id), isNull(hosts.removedAt)))
    if (row === undefined) return undefined
    const { name, hostname, tags, maxConcurrentRuns, hookShell, quarantinedAt, awaitsApprovalSince } = row
    const { releasedAt, keyChangeWantedAt, pausedAt, pausedUntil, pausedBy, pauseReason } = row
    const pause = { pausedAt, pausedUntil, pausedBy, pauseReason }
    const standing = { quarantinedAt, awaitsApprovalSince, releasedAt, keyChangeWantedAt }
    const state = { name, hostname, tags, maxConcurrentRuns, hookShell, ...standing, ...pause }
    return { id: row.id, name, hostIds: [row.id], state }
  },
  async repository(tx, id) {
    const [row] = await tx.select().from(repositories).where(eq(repositories.id, id))
    if (row === undefined) return undefined
    const used = await tx.execute<{ id: string; name: string }>(sql`
      select hosts.id, hosts.name from host_repositories join hosts on hosts.id = host_id
      where repository_id = ${id} order by hosts.name, hosts.id`)
    const { name, kind, url, username, environment, mayDelete } = row
    const { maintenanceHostId, adminUsername, riskAcceptedBy } = row
    const state = { name, kind, url, username, environment, mayDelete, maintenanceHostId, adminUsername }
    const hostIds = used.map(host => host.id)
    return {
      id: row.id,
      name,
      hostIds: maintenanceHostId === null ? hostIds : [...hostIds, maintenanceHostId],
      state: { ...state, riskAcceptedBy, hosts: used.map(host => host.name) },
    }
  },
  async schedule(tx, id) {
    const [row] = await tx
      .select()
      .from(schedules)
      .where(and(eq(schedules.id, id), isNull(schedules.deletedAt)))
    if (row === undefined) return undefined
    return { id: row.id, name: row.name, hostIds: [row.hostId], state: draftOf(row) }
  },
  async job(tx, id) {
    const [row] = await tx
      .select({
        ...{ id: jobs.id, kind: jobs.kind, status: jobs.status, spec: jobs.spec, retryOf: jobs.retryOf },
        ...{ hostId: jobs.hostId, forHostId: jobs.forHostId, repositoryId: jobs.repositoryId },
        ...{ cancelRequestedBy: jobs.cancelRequestedBy, host: hosts.name, repository: repositories.name },
      })
      .from(jobs)
      .innerJoin(hosts, eq(hosts.id, jobs.hostId))
      .leftJoin(repositories, eq(repositories.id, jobs.repositoryId))
      .where(eq(jobs.id, id))
    if (row === undefined) return undefined
    const { kind, status, spec, retryOf, hostId, forHostId, cancelRequestedBy, host, repository } = row
    return {
      id: row.id,
      name: `${kind} on ${host}`,
      hostIds: forHostId === null ? [hostId] : [hostId, forHostId],
      state: { kind, status, host, repository, retryOf, cancelRequestedBy, spec },
    }
  },
  async enrolment(tx, id) {
    const [row] = await tx.select().from(enrolments).where(eq(enrolments.id, id))
    if (row === undefined) return undefined
    const { expiresAt, maxUses, tags, needsApproval, revokedAt } = row
    return {
      id: row.id,
      name: `enrolment by ${row.createdBy}`,
      hostIds: null,
      state: { expiresAt, maxUses, tags, needsApproval, revokedAt },
    }
  },
  async alert(tx, id) {
    const [row] = await tx.select().from(alerts).where(eq(alerts.id, id))
    if (row === undefined) return undefined
    const { kind, sentence, hostId, acknowledgedBy } = row
    return {
      id: row.id,
      name: kind.replaceAll('_', ' '),
      hostIds: hostId === null ? null : [hostId],
      state: { kind, sentence, acknowledgedBy },
    }
  },
  async operator(tx, id) {
    const [row] = await tx
      .select({
        ...{ id: operators.id, name: operators.name, email: operators.email },
        ...{ role: operators.role, tags: operators.tags },
        ways: sql<string[]>`array(select distinct a.provider_id from operator_accounts a
          where a.operator_id = operators.id order by 1)`,
        authenticator: sql<boolean>`exists(select 1 from operator_two_factors f
          where f.operator_id = operators.id and f.verified)`,
        passkeys: sql<string[]>`array(select p.name from operator_passkeys p
          where p.operator_id = operators.id order by p.created_at, p.id)`,
        apiKeys: sql<
          string[]
        >`array(select format('%s (%s…, %s)', k.name, k.prefix, array_to_string(k.scopes, ' '))
          from api_keys k where k.operator_id = operators.id and k.revoked_at is null order by k.created_at, k.id)`,
        sessions: sql<number>`(select count(*)::int from operator_sessions s
          where s.operator_id = operators.id and s.expires_at > now())`,
      })
      .from(operators)
      .where(id.includes('@') ? eq(operators.email, id) : eq(operators.id, id))
    if (row === undefined) return undefined
    const { id: operatorId, ...state } = row
    return { id: operatorId, name: row.email, hostIds: null, state }
  },
  async invitation(tx, id) {
    const isThis = id.includes('@') ? eq(operatorInvitations.email, id) : eq(operatorInvitations.id, id)
    const [row] = await tx
      .select()
      .from(operatorInvitations)
      .where(
        and(
          isThis,
          isNull(operatorInvitations.acceptedAt),
          isNull(operatorInvitations.revokedAt),
          gt(operatorInvitations.expiresAt, sql`now()`),
        ),
      )
    if (row === undefined) return undefined
    const { email, role, tags, expiresAt } = row
    return { id: row.id, name: email, hostIds: null, state: { email, role, tags, expiresAt } }
  },
  async 'bulk act'(tx, id) {
    const [row] = await tx.select().from(bulkActs).where(eq(bulkActs.id, id))
    if (row === undefined) return undefined
    const { kind, detail, hostIds } = row
    // Each host has a row of its own besides, for who sees only some.
    const state = { act: kind, hosts: hostIds.length, ...detail }
    return { id: row.id, name: `${kind} on ${hostIds.length} hosts`, hostIds: null, state }
  },
  async settings(tx) {
    // By name: this table also holds what no record may.
    const rows = await tx
      .select()
      .from(settings)
      .where(or(...Object.keys(settingNames).map(name => eq(settings.name, name))))
    const state = Object.fromEntries(rows.map(({ name, value }) => [settingNames[name] ?? name, value]))
    return { id: 'settings', name: 'settings', hostIds: null, state }
  },
}

/** What an admin decides, as it stands in the table, and as it is called. */
const settingNames: Record<string, string> = {
  log_days: 'logDays',
  job_days: 'jobDays',
  audit_days: 'auditDays',
}
