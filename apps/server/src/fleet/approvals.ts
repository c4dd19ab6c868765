// Approval: what becomes of a host that was enrolled with a token that asks for an admin.
import { and, eq, isNotNull, isNull } from 'drizzle-orm'
import { Refusal } from '@restic-manager/contract/refusal'
import { notify } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hosts } from '../db/schema.ts'
import { clearAlerts } from './alerts.ts'
import { shutOut } from './hosts.ts'

/** Lets a waiting host in: its agent, which keeps asking, connects within seconds. Safe to call twice. Throws `host_not_found`. */
export async function approveHost(db: Db, hostId: string): Promise<void> {
  await db.transaction(async tx => {
    const [approved] = await tx
      .update(hosts)
      .set({ awaitsApprovalSince: null })
      .where(and(eq(hosts.id, hostId), isNull(hosts.removedAt)))
      .returning({ enrolmentId: hosts.enrolmentId })
    if (approved === undefined) throw new Refusal('host_not_found', 'There is no such host.')
    await clearAlerts(tx, hostId, ['host_waiting'])
    await notify(tx, 'host', hostId)
    if (approved.enrolmentId !== null) await notify(tx, 'enrolment', approved.enrolmentId)
  })
}

/** Turns a waiting host away for good. Throws `host_not_found`, or `host_not_waiting` for one that was let in meanwhile. */
export async function rejectHost(db: Db, hostId: string): Promise<void> {
  await db.transaction(async tx => {
    const [waiting] = await tx
      .select({ id: hosts.id })
      .from(hosts)
      .where(and(eq(hosts.id, hostId), isNotNull(hosts.awaitsApprovalSince)))
      .for('no key update')
    if (waiting === undefined) {
      const [host] = await tx.select({ id: hosts.id }).from(hosts).where(eq(hosts.id, hostId))
      if (host === undefined) throw new Refusal('host_not_found', 'There is no such host.')
      throw new Refusal(
        'host_not_waiting',
        'This host was let in already. Remove it if it should not be here.',
      )
    }
    await shutOut(tx, hostId)
  })
}
