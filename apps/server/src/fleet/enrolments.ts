// Enrolment: one-time tokens that let machines in, and what became of each.
import { createHash, randomBytes } from 'node:crypto'
import { and, eq, gt, isNull, sql } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import type { EnrolmentAnswer, EnrolmentRedeem } from '@restic-manager/contract/join'
import { Refusal } from '@restic-manager/contract/refusal'
import type { Log } from '@restic-manager/runtime/log'
import { notify } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hosts } from '../db/schema.ts'
import { enrolments } from '../db/schema-enrolments.ts'
import { clearAlerts, raiseAlert } from './alerts.ts'
import { hostActor, nobodyAt, writeAudit } from './audit.ts'
import { writeHostile } from './audit-repeats.ts'

type NewEnrolment = {
  requestId: string
  lifeMinutes: number
  maxUses: number
  tags: string[]
  needsApproval?: boolean
  createdBy: string
}

/** Only this much of a token is ever kept. */
const hashOf = (token: string) => createHash('sha256').update(token).digest('hex')

/** Mints a token, shown this once. A repeated request is refused with `request_reused`: the token cannot be shown again. */
export async function createEnrolment(
  db: Db,
  { requestId, lifeMinutes, maxUses, tags, needsApproval = false, createdBy }: NewEnrolment,
): Promise<{ enrolmentId: string; token: string; expiresAt: Date }> {
  const token = `rmj_${randomBytes(32).toString('base64url')}`
  return db.transaction(async tx => {
    const [made] = await tx
      .insert(enrolments)
      .values({
        id: newId(),
        requestId,
        tokenHash: hashOf(token),
        createdBy,
        expiresAt: sql`now() + ${lifeMinutes} * interval '1 minute'`,
        maxUses,
        usesLeft: maxUses,
        tags,
        needsApproval,
      })
      .onConflictDoNothing({ target: enrolments.requestId })
      .returning({ enrolmentId: enrolments.id, expiresAt: enrolments.expiresAt })
    if (made === undefined)
      throw new Refusal(
        'request_reused',
        'This request has made a token already, and a token is shown only once. Make a new one.',
      )
    await notify(tx, 'enrolment', made.enrolmentId)
    return { ...made, token }
  })
}

/** Ends a token at once; hosts it let in stay. Safe to call twice. */
export async function revokeEnrolment(db: Db, enrolmentId: string): Promise<void> {
  await db.transaction(async tx => {
    const [revoked] = await tx
      .update(enrolments)
      .set({ revokedAt: sql`coalesce(${enrolments.revokedAt}, now())` })
      .where(eq(enrolments.id, enrolmentId))
      .returning({ id: enrolments.id })
    if (revoked === undefined) throw new Refusal('enrolment_not_found', 'There is no such enrolment.')
    await notify(tx, 'enrolment', enrolmentId)
  })
}

/** `wasUsed`: it had let somebody in, or was taken back. Just too late is no reason to worry. */
type Turned = { turnedDown: 'unknown' | 'spent' | 'removed'; enrolmentId?: string; wasUsed?: boolean }

/**
 * Lets a machine in. A repeat with the same token and key gets the same answer, so an agent that crashed in between asks
 * again. A token that is spent, expired, revoked or unknown is refused, counted and logged, and raises an alert where it was used up.
 */
export async function redeemEnrolment(
  db: Db,
  request: EnrolmentRedeem,
  { log, address }: { log: Log; address: string },
): Promise<EnrolmentAnswer> {
  const outcome = await db.transaction(tx => useToken(tx, request, address))
  if ('hostId' in outcome) return outcome
  // What a refusal leaves behind must survive it, so it is written after the transaction.
  const { turnedDown, enrolmentId, wasUsed = false } = outcome
  log.warn({ enrolmentId, address, hostname: request.hostname, turnedDown }, 'an enrolment was refused')
  if (enrolmentId !== undefined) await countRefusal(db, enrolmentId, { address, wasUsed })
  const target = { kind: 'enrolment', id: enrolmentId }
  const after = { hostname: request.hostname, because: turnedDown }
  await writeHostile(db, { actor: nobodyAt(address), action: 'enrolment refused', target, after })
  if (turnedDown === 'removed')
    throw new Refusal(
      'host_removed',
      'This host was removed. Let the agent make a new key, then enrol it with a new token.',
    )
  throw new Refusal(
    'token_refused',
    'This token is unknown, used up, expired or revoked. Make a new one under Add host.',
  )
}

async function useToken(
  tx: Db,
  { token, publicKey, hostname }: EnrolmentRedeem,
  address: string,
): Promise<EnrolmentAnswer | Turned> {
  // The row lock makes redemptions of one token wait for each other.
  const [enrolment] = await tx
    .select({
      ...{ id: enrolments.id, tags: enrolments.tags, needsApproval: enrolments.needsApproval },
      wasUsed: sql<boolean>`${enrolments.usesLeft} < ${enrolments.maxUses} or ${enrolments.revokedAt} is not null`,
    })
    .from(enrolments)
    .where(eq(enrolments.tokenHash, hashOf(token)))
    .for('update')
  if (enrolment === undefined) return { turnedDown: 'unknown' }
  const [known] = await tx
    .select({
      hostId: hosts.id,
      hostName: hosts.name,
      enrolmentId: hosts.enrolmentId,
      removedAt: hosts.removedAt,
      awaitsApprovalSince: hosts.awaitsApprovalSince,
    })
    .from(hosts)
    .where(eq(hosts.publicKey, publicKey))
  if (known !== undefined && known.removedAt !== null)
    return { turnedDown: 'removed', enrolmentId: enrolment.id }
  if (known?.enrolmentId === enrolment.id) return answerOf(known)

  const used = await tx
    .update(enrolments)
    .set({ usesLeft: sql`${enrolments.usesLeft} - 1` })
    .where(
      and(
        eq(enrolments.id, enrolment.id),
        gt(enrolments.usesLeft, 0),
        isNull(enrolments.revokedAt),
        gt(enrolments.expiresAt, sql`now()`),
      ),
    )
    .returning({ id: enrolments.id })
  if (used.length === 0) return { turnedDown: 'spent', enrolmentId: enrolment.id, wasUsed: enrolment.wasUsed }
  const [host] = await tx
    .insert(hosts)
    .values({
      id: newId(),
      name: hostname,
      hostname,
      publicKey,
      enrolmentId: enrolment.id,
      tags: enrolment.tags,
      awaitsApprovalSince: enrolment.needsApproval ? sql`now()` : null,
    })
    .onConflictDoUpdate({
      target: hosts.publicKey,
      // Who is in stays in. Who waits is let in by a token that asks for no approval.
      set: {
        enrolmentId: enrolment.id,
        ...(enrolment.needsApproval ? {} : { awaitsApprovalSince: null }),
      },
      setWhere: isNull(hosts.removedAt),
    })
    .returning({
      hostId: hosts.id,
      hostName: hosts.name,
      awaitsApprovalSince: hosts.awaitsApprovalSince,
    })
  if (host === undefined) return { turnedDown: 'removed', enrolmentId: enrolment.id }
  if (host.awaitsApprovalSince === null) await clearAlerts(tx, host.hostId, ['host_waiting'])
  else
    await raiseAlert(tx, {
      kind: 'host_waiting',
      ...{ subject: host.hostId, hostId: host.hostId, enrolmentId: enrolment.id },
      sentence:
        'It was enrolled with a token that asks for approval. Compare its fingerprint, then let it in.',
    })
  await notify(tx, 'enrolment', enrolment.id)
  await notify(tx, 'host', host.hostId)
  const named = { id: host.hostId, name: host.hostName }
  await writeAudit(tx, {
    ...{ actor: hostActor(named, address), action: 'enrolment redeemed', target: { kind: 'host', ...named } },
    hostIds: [host.hostId],
    after: { enrolmentId: enrolment.id, hostname, tags: enrolment.tags, isNew: known === undefined },
  })
  return answerOf(host)
}

const answerOf = (host: {
  hostId: string
  hostName: string
  awaitsApprovalSince: Date | null
}): EnrolmentAnswer => ({
  ...{ hostId: host.hostId, hostName: host.hostName },
  ...(host.awaitsApprovalSince === null ? {} : { waitsForApproval: true }),
})

async function countRefusal(
  db: Db,
  enrolmentId: string,
  { address, wasUsed }: { address: string; wasUsed: boolean },
) {
  await db.transaction(async tx => {
    await tx
      .update(enrolments)
      .set({ refusedCount: sql`${enrolments.refusedCount} + 1`, lastRefusedAt: sql`now()` })
      .where(eq(enrolments.id, enrolmentId))
    await notify(tx, 'enrolment', enrolmentId)
    if (wasUsed)
      await raiseAlert(tx, {
        kind: 'token_reused',
        ...{ subject: enrolmentId, enrolmentId },
        sentence: `An enrolment token was tried again after it was used up or revoked, the last time from ${address}. If that was not you, find out where its line was seen.`,
      })
  })
}
