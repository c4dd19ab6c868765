// Quarantine: a host that two machines answer for is shut out, and let in again by an admin, as the first one that comes back.
import { and, eq, gt, inArray, isNotNull, isNull, sql } from 'drizzle-orm'
import type { SessionProof } from '@restic-manager/contract/join'
import { Refusal } from '@restic-manager/contract/refusal'
import type { HostRemoveRequest } from '@restic-manager/contract/requests'
import type { z } from 'zod'
import { notify, notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hosts } from '../db/schema.ts'
import { agentSessions, spools } from '../db/schema-sessions.ts'
import { clearAlerts, raiseAlert } from './alerts.ts'
import { theServer, writeAudit } from './audit.ts'

/** Shuts a host out, all its machines at once: their sockets close, and no proof is good any more. */
export async function quarantineHost(tx: Db, hostId: string): Promise<void> {
  const reason = 'Two machines use the identity of this host, perhaps because its disk was copied.'
  const [host] = await tx
    .update(hosts)
    .set({ quarantinedAt: sql`now()`, quarantineReason: reason, online: false })
    .where(eq(hosts.id, hostId))
    .returning({ name: hosts.name })
  await raiseAlert(tx, {
    kind: 'host_cloned',
    ...{ subject: hostId, hostId },
    sentence:
      'Two machines use the identity of this host, perhaps because its disk was copied. Both are shut out until it is released or removed.',
  })
  await notifyAll(tx, { host: [hostId], session: [hostId] })
  const target = { kind: 'host' as const, id: hostId, name: host?.name }
  await writeAudit(tx, {
    ...{ actor: theServer, action: 'host quarantined', target },
    ...{ hostIds: [hostId], after: { reason } },
  })
}

/** More than any spool has numbered: an agent that hears it begins a new epoch and tells everything anew. */
const BEYOND_ALL = Number.MAX_SAFE_INTEGER

/**
 * Lets a host out of quarantine. The first machine that proves its key from then on is the host, whatever session it names; any
 * other copy stays out. Facts of both may have come under the same numbers, so its spool is begun anew. Throws `host_not_found`,
 * `not_confirmed` or `host_not_quarantined`.
 */
export async function releaseHost(
  db: Db,
  { hostId, confirmName }: z.infer<typeof HostRemoveRequest>,
): Promise<void> {
  await db.transaction(async tx => {
    const [host] = await tx
      .select({ name: hosts.name, quarantinedAt: hosts.quarantinedAt })
      .from(hosts)
      .where(and(eq(hosts.id, hostId), isNull(hosts.removedAt)))
      .for('no key update')
    if (host === undefined) throw new Refusal('host_not_found', 'There is no such host.')
    if (host.name !== confirmName)
      throw new Refusal('not_confirmed', `Type the name of the host, ${host.name}, to release it.`)
    if (host.quarantinedAt === null)
      throw new Refusal('host_not_quarantined', 'This host is not in quarantine.')
    await tx
      .update(hosts)
      .set({
        ...{ quarantinedAt: null, quarantineReason: null, releasedAt: sql`now()` },
        releasedAfter: sql`(select coalesce(max(number), 0) from agent_sessions where host_id = ${hostId})`,
      })
      .where(and(eq(hosts.id, hostId), isNotNull(hosts.quarantinedAt)))
    await tx
      .update(spools)
      .set({ ackedFirst: BEYOND_ALL, ackedRest: BEYOND_ALL })
      .where(eq(spools.hostId, hostId))
    await clearAlerts(tx, hostId, ['host_cloned'])
    await notify(tx, 'host', hostId)
  })
}

/** Whether a proof that does not fit names only sessions of before the release: it is the copy that was left out. */
export async function isLeftOut(
  tx: Db,
  { hostId, confirmed, next }: SessionProof,
  releasedAfter: number | null,
): Promise<boolean> {
  if (releasedAfter === null) return false
  const named = confirmed === null ? [next] : [next, confirmed]
  const since = await tx
    .select({ id: agentSessions.id })
    .from(agentSessions)
    .where(
      and(
        eq(agentSessions.hostId, hostId),
        inArray(agentSessions.id, named),
        gt(agentSessions.number, releasedAfter),
      ),
    )
  return since.length === 0
}
