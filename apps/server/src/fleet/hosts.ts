// Hosts as operators name, tag and remove them.
import { and, eq, isNull, sql } from 'drizzle-orm'
import type { z } from 'zod'
import { Refusal } from '@restic-manager/contract/refusal'
import type { HostRemoveRequest, HostUpdateRequest } from '@restic-manager/contract/requests'
import { notify, notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hostRepositories, hosts, jobs } from '../db/schema.ts'
import { agentSessions, sessionChallenges } from '../db/schema-sessions.ts'
import { clearAlerts, everyAlert } from './alerts.ts'

const notFound = () => new Refusal('host_not_found', 'There is no such host.')

/** Gives a host another name or other tags. What is left out stays. Safe to call twice. */
export async function updateHost(
  db: Db,
  { hostId, name, tags }: z.infer<typeof HostUpdateRequest>,
): Promise<void> {
  await db.transaction(async tx => {
    const [changed] = await tx
      .update(hosts)
      .set({ name: name ?? sql`${hosts.name}`, tags: tags ?? sql`${hosts.tags}` })
      .where(and(eq(hosts.id, hostId), isNull(hosts.removedAt)))
      .returning({ id: hosts.id })
    if (changed === undefined) throw notFound()
    await notify(tx, 'host', hostId)
  })
}

/**
 * Removes a host for good: its key is refused for ever, its sockets close, it loses its repositories, its open jobs are
 * given up. Records and snapshots stay. Safe to call twice. Throws `host_not_found` or `not_confirmed`.
 */
export async function removeHost(
  db: Db,
  { hostId, confirmName }: z.infer<typeof HostRemoveRequest>,
): Promise<void> {
  await db.transaction(async tx => {
    const [host] = await tx
      .select({ name: hosts.name, removedAt: hosts.removedAt })
      .from(hosts)
      .where(eq(hosts.id, hostId))
      .for('no key update')
    if (host === undefined) throw notFound()
    if (host.removedAt !== null) return
    if (host.name !== confirmName)
      throw new Refusal('not_confirmed', `Type the name of the host, ${host.name}, to remove it.`)
    await shutOut(tx, hostId)
  })
}

/** The removal itself, for a host whose row the transaction holds. */
export async function shutOut(tx: Db, hostId: string): Promise<void> {
  const [host] = await tx
    .update(hosts)
    .set({ removedAt: sql`now()`, online: false, configVersion: sql`${hosts.configVersion} + 1` })
    .where(eq(hosts.id, hostId))
    .returning({ enrolmentId: hosts.enrolmentId })
  await tx
    .update(agentSessions)
    .set({ bearerHash: null, bearerExpiresAt: null })
    .where(eq(agentSessions.hostId, hostId))
  await tx.delete(sessionChallenges).where(eq(sessionChallenges.hostId, hostId))
  const links = await tx
    .delete(hostRepositories)
    .where(eq(hostRepositories.hostId, hostId))
    .returning({ id: hostRepositories.repositoryId })
  await giveUpJobs(tx, hostId)
  await clearAlerts(tx, hostId, everyAlert)
  await notifyAll(tx, {
    ...{ host: [hostId], session: [hostId] },
    enrolment: host?.enrolmentId == null ? [] : [host.enrolmentId],
    repository: links.map(({ id }) => id),
  })
}

/** Nobody will report on these any more. Both endings are the server's own guess. */
async function giveUpJobs(tx: Db, hostId: string) {
  const open = (status: 'queued' | 'accepted' | 'running') =>
    and(eq(jobs.hostId, hostId), eq(jobs.status, status))
  const ended: { id: string }[] = []
  ended.push(
    ...(await tx
      .update(jobs)
      .set({ status: 'expired', reason: 'not_claimed', finishedAt: sql`now()` })
      .where(open('queued'))
      .returning({ id: jobs.id })),
  )
  for (const status of ['accepted', 'running'] as const)
    ended.push(
      ...(await tx.update(jobs).set({ status: 'lost' }).where(open(status)).returning({ id: jobs.id })),
    )
  await notifyAll(tx, { job: ended.map(({ id }) => id) })
}
