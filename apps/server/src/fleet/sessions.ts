// Sessions: each connection proves the host's key anew, and two machines with one key give themselves away.
import { createHash, randomBytes } from 'node:crypto'
import { and, eq, gt, inArray, or, sql } from 'drizzle-orm'
import { type ChallengeAnswer, type ProofAnswer, type SessionProof } from '@restic-manager/contract/join'
import { Refusal } from '@restic-manager/contract/refusal'
import { toInstant } from '@restic-manager/contract/scalars'
import type { Log } from '@restic-manager/runtime/log'
import type { HostSession } from '../context.ts'
import { telling } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hosts } from '../db/schema.ts'
import { agentSessions, sessionChallenges } from '../db/schema-sessions.ts'
import { currentTimeline } from '../db/timeline.ts'
import { arriving, together } from '../db/together.ts'
import { raiseAlert } from './alerts.ts'
import { keyBehind, takeOverKey } from './host-keys.ts'
import { isLeftOut, quarantineHost } from './quarantine.ts'
import { beginReturn, type KeptBearer } from './returns.ts'

const hashOf = (bearer: string) => createHash('sha256').update(bearer).digest('hex')

const removed = () =>
  new Refusal('host_removed', 'This host was removed. Enrol it again with a new key and a new token.')
const quarantined = () =>
  new Refusal(
    'host_quarantined',
    'Two machines use the identity of this host. Stop the agent on the copy, then have this host released, or removed and enrolled again.',
  )
const waiting = () =>
  new Refusal(
    'host_waiting',
    'This host waits for an admin to let it in. Nothing has to be done on the host itself.',
  )
const leftOut = () =>
  new Refusal(
    'host_quarantined',
    'Another machine took the identity of this host when it was released from quarantine. Enrol this one anew, in another --state-dir.',
  )
const about = (hostId: string) => ({ subject: hostId, hostId })
const oldKeySentence =
  'A machine proved itself with the key this host had before. Somebody has a copy of it, or the host was put back from an old image: it is refused.'
const copySentence =
  'The other machine with this identity, left out when the host was released, still tries to connect. Stop its agent, or enrol it anew.'
const unproven = (sentence: string) => new Refusal('session_unproven', sentence)

/** A nonce that is good for one proof of this host. */
export async function challengeSession(db: Db, hostId: string, lifeMs: number): Promise<ChallengeAnswer> {
  const nonce = randomBytes(32).toString('base64url')
  const expiresAt = await keepChallenge(db, { nonce, hostId, lifeMs })
  if (expiresAt === undefined) throw await whyUnknown(db, hostId)
  return { nonce, expiresAt: toInstant(new Date(expiresAt)) }
}

const keepChallenge = together<{ nonce: string; hostId: string; lifeMs: number }, string>(
  async (db, challenges) => {
    const rows = await db.execute<{ nonce: string; expires_at: string }>(sql`
      insert into session_challenges (nonce, host_id, expires_at)
      select nonce, id, now() + "lifeMs" * interval '1 millisecond' from hosts
      join jsonb_to_recordset(${JSON.stringify(challenges)}::jsonb) as asked(nonce text, "hostId" uuid, "lifeMs" integer)
        on "hostId" = id
      where removed_at is null
      returning nonce, expires_at`)
    const kept = new Map(rows.map(row => [row.nonce, row.expires_at]))
    return challenges.map(({ nonce }) => kept.get(nonce))
  },
  arriving,
)

async function whyUnknown(db: Db, hostId: string): Promise<Refusal> {
  const known = await db.select({ id: hosts.id }).from(hosts).where(eq(hosts.id, hostId))
  return known.length > 0
    ? removed()
    : new Refusal('host_not_found', 'This server does not know this host. Enrol it with a new token.')
}

/** What a proof shows about the machine behind the key. */
export type Verdict = 'next' | 'retry' | 'older dump' | 'clone'

/**
 * Judges a proof by the sessions this host has had. `has` is the one accepted last. A host that lives alone is never
 * called a clone, wherever it or the server crashed.
 */
export function judgeSession(
  proof: { confirmed: string | null; next: string },
  { has, used }: { has: string | null; used: (session: string) => boolean },
): Verdict {
  if (proof.next === has) return 'retry'
  if (used(proof.next)) return 'clone'
  if (proof.confirmed === has) return 'next'
  if (proof.confirmed === null || used(proof.confirmed)) return 'clone'
  return 'older dump'
}

/**
 * Checks a proof and answers with a bearer for one upgrade. A clone quarantines the host, which stops both machines. A retry
 * gets a number of its own, so that it fences whatever was begun under the same session before.
 */
export async function proveSession(
  db: Db,
  proof: SessionProof,
  { log, bearerLife }: { log: Log; bearerLife: number },
): Promise<ProofAnswer> {
  const bearer = randomBytes(32).toString('base64url')
  const kept = { bearerHash: hashOf(bearer), lifeMs: bearerLife }
  const until = await beginReturn(db, proof, kept)
  if (until !== undefined) return { bearer, expiresAt: toInstant(until) }
  const outcome = await db.transaction(async tx => {
    const spent = tx.$with('spent').as(
      tx
        .delete(sessionChallenges)
        .where(
          and(
            eq(sessionChallenges.nonce, proof.nonce),
            eq(sessionChallenges.hostId, proof.hostId),
            gt(sessionChallenges.expiresAt, sql`now()`),
          ),
        )
        .returning({ nonce: sessionChallenges.nonce }),
    )
    // The nonce goes and the row is taken in one statement: thousands of hosts may come at once.
    const [host] = await tx
      .with(spent)
      .select({
        isSpent: sql<boolean>`exists (select 1 from spent)`,
        publicKey: hosts.publicKey,
        nextPublicKey: hosts.nextPublicKey,
        previousPublicKey: hosts.previousPublicKey,
        sessionId: hosts.sessionId,
        sessionNumber: hosts.sessionNumber,
        releasedAfter: hosts.releasedAfter,
        quarantinedAt: hosts.quarantinedAt,
        awaitsApprovalSince: hosts.awaitsApprovalSince,
        removedAt: hosts.removedAt,
      })
      .from(hosts)
      .where(eq(hosts.id, proof.hostId))
      .for('no key update')
    // A host that is gone for good took its challenges with it.
    if (host === undefined || !host.isSpent)
      return { refused: unproven('The challenge is unknown, used or too old. Ask for another.') }
    // The nonce stays spent: these answers are returned and thrown only after the commit.
    if (host.removedAt !== null) return { refused: removed() }
    const signedBy = keyBehind(host, proof)
    if (signedBy === undefined)
      return { refused: unproven('The signature does not fit the key of this host.') }
    if (signedBy === 'previous') {
      await raiseAlert(tx, { ...about(proof.hostId), kind: 'old_key_used', sentence: oldKeySentence })
      return { refused: unproven('The key of this host was replaced, and the old one is good no more.') }
    }
    if (host.quarantinedAt !== null) return { refused: quarantined() }
    if (host.awaitsApprovalSince !== null) return { refused: waiting() }

    const { releasedAfter } = host
    const isReleased = releasedAfter !== null && host.sessionNumber <= releasedAfter
    const verdict: Verdict = isReleased
      ? 'next'
      : judgeSession(proof, { has: host.sessionId, used: await usedSessions(tx, proof) })
    if (verdict === 'clone' && (await isLeftOut(tx, proof, releasedAfter))) {
      await raiseAlert(tx, { ...about(proof.hostId), kind: 'copy_turned_away', sentence: copySentence })
      return { refused: leftOut() }
    }
    if (verdict === 'clone') {
      await quarantineHost(tx, proof.hostId)
      return { refused: quarantined(), clone: true }
    }
    const expiresAt = await beginSession(tx, proof, kept)
    if (signedBy === 'next') await takeOverKey(tx, proof.hostId)
    return { expiresAt, verdict }
  })
  if ('refused' in outcome) {
    if (outcome.clone)
      log.error({ hostId: proof.hostId }, 'two machines use the identity of one host: it is quarantined')
    throw outcome.refused
  }
  if (outcome.verdict === 'older dump')
    log.warn(
      { hostId: proof.hostId },
      'a host has had sessions this database never saw: it was restored from an older dump',
    )
  return { bearer, expiresAt: toInstant(outcome.expiresAt) }
}

/** Which of the two sessions a proof names this host has had, or has named as confirmed, before. */
async function usedSessions(
  tx: Db,
  { hostId, confirmed, next }: SessionProof,
): Promise<(session: string) => boolean> {
  const named = confirmed === null ? [next] : [next, confirmed]
  const seen = await tx
    .select({ id: agentSessions.id, confirmed: agentSessions.confirmed })
    .from(agentSessions)
    .where(
      and(
        eq(agentSessions.hostId, hostId),
        or(inArray(agentSessions.id, named), inArray(agentSessions.confirmed, named)),
      ),
    )
  return session => seen.some(row => row.id === session || row.confirmed === session)
}

/**
 * Writes the session down, tells of it, and forgets what other challenges the host still has: a proof that was held up, as in a server
 * that was paused, must not come after the host has gone on, or its session would look like a copy's. One that another proof is using
 * at this moment is left to it: both would wait for each other.
 */
async function beginSession(tx: Db, proof: SessionProof, { bearerHash, lifeMs }: KeptBearer): Promise<Date> {
  // In SQL as it is: an identity column takes no value but its default, which Drizzle has no word for.
  const [session] = await tx.execute<{ expires_at: string }>(sql`
    with begun as (
      insert into agent_sessions (host_id, id, confirmed, bearer_hash, bearer_expires_at)
      values (${proof.hostId}, ${proof.next}, ${proof.confirmed}, ${bearerHash}, now() + ${lifeMs} * interval '1 millisecond')
      on conflict (host_id, id) do update
        set number = default, bearer_hash = excluded.bearer_hash, bearer_expires_at = excluded.bearer_expires_at
      returning host_id, number, bearer_expires_at
    ), forgotten as (
      delete from session_challenges where nonce in (
        select nonce from session_challenges where host_id = ${proof.hostId} for update skip locked)
    )
    update hosts set session_id = ${proof.next}, session_number = begun.number, proved_at = now()
    from begun where hosts.id = begun.host_id
    returning begun.bearer_expires_at as expires_at, ${telling('host', sql`hosts.id`)}, ${telling('session', sql`hosts.id`)},
      ${telling('enrolment', sql`hosts.enrolment_id`)}`)
  if (session === undefined) throw new Error('a session that was just written is not there')
  return new Date(session.expires_at)
}

/** Takes a bearer, once, and says whose newest session it opens. Throws `session_unproven`, `host_quarantined` or `host_removed`. */
export async function claimBearer(db: Db, bearer: string): Promise<HostSession> {
  const hash = hashOf(bearer)
  const claimed = await spendBearer(db, hash)
  if (claimed !== undefined) return claimed
  const [shut] = await db
    .select({ quarantinedAt: hosts.quarantinedAt, removedAt: hosts.removedAt })
    .from(agentSessions)
    .innerJoin(hosts, eq(hosts.id, agentSessions.hostId))
    .where(and(eq(agentSessions.bearerHash, hash), gt(agentSessions.bearerExpiresAt, sql`now()`)))
  if (shut !== undefined && shut.removedAt !== null) throw removed()
  if (shut !== undefined && shut.quarantinedAt !== null) throw quarantined()
  throw unproven('The bearer is unknown, used or too old. Prove the session again.')
}

const spendBearer = together<string, HostSession>(async (db, hashes) => {
  const rows = await db.execute<{ hash: string; id: string; session: string; timeline: string }>(sql`
    update agent_sessions set bearer_hash = null, bearer_expires_at = null
    from hosts, jsonb_array_elements_text(${JSON.stringify(hashes)}::jsonb) as asked(hash)
    where agent_sessions.bearer_hash = asked.hash and agent_sessions.bearer_expires_at > now()
      and hosts.id = agent_sessions.host_id and hosts.session_number = agent_sessions.number
      and hosts.quarantined_at is null and hosts.removed_at is null
    returning asked.hash, hosts.id, hosts.session_number as session, ${currentTimeline} as timeline`)
  const claimed = new Map(rows.map(({ hash, session, ...of }) => [hash, { ...of, session: Number(session) }]))
  // Of several who show the same bearer the first has it.
  return hashes.map(hash => {
    const answer = claimed.get(hash)
    claimed.delete(hash)
    return answer
  })
}, arriving)
