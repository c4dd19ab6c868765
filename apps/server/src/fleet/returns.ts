// The proof of a host that comes back as it went, of many hosts at once. Whatever is out of the ordinary is left to who looks at one.
import { sql } from 'drizzle-orm'
import type { SessionProof } from '@restic-manager/contract/join'
import { tellingAll } from '../db/bus.ts'
import { isOneOf } from '../db/listed.ts'
import type { Db } from '../db/open.ts'
import { arriving, together } from '../db/together.ts'
import { isSignedWith } from './host-keys.ts'

type Known = {
  publicKey: string
  sessionId: string | null
  sessionNumber: string
  /** Let in, and not released from quarantine since its last session. */
  isOrdinary: boolean
}

/** What a bearer is kept as. */
export type KeptBearer = { bearerHash: string; lifeMs: number }

/**
 * Begins the session of a proof that is signed with the host's key and follows on the session it had. Answers until when the bearer
 * is good. Undefined: nothing was done, because it is another kind of proof or because something came between.
 */
export async function beginReturn(
  db: Db,
  proof: SessionProof,
  bearer: KeptBearer,
): Promise<Date | undefined> {
  const known = await knownOf(db, proof.hostId)
  const follows =
    known !== undefined &&
    known.isOrdinary &&
    known.sessionId === proof.confirmed &&
    known.sessionId !== proof.next
  if (!follows || !(await isSignedWith(known.publicKey, proof))) return undefined
  const { hostId, nonce, confirmed, next } = proof
  const { publicKey, sessionNumber } = known
  const begun = await begin(db, { hostId, nonce, confirmed, next, publicKey, sessionNumber, ...bearer })
  return begun === undefined ? undefined : new Date(begun)
}

const knownOf = together<string, Known>(async (db, hostIds) => {
  const rows = await db.execute<Known & { id: string }>(sql`
    select id, public_key as "publicKey", session_id as "sessionId", session_number as "sessionNumber",
      removed_at is null and quarantined_at is null and awaits_approval_since is null
        and (released_after is null or session_number > released_after) as "isOrdinary"
    from hosts where ${isOneOf(sql`hosts.id`, hostIds)}`)
  const byId = new Map(rows.map(({ id, ...known }) => [id, known]))
  return hostIds.map(id => byId.get(id.toLowerCase()))
}, arriving)

type Return = Omit<SessionProof, 'signature'> & KeptBearer & Pick<Known, 'publicKey' | 'sessionNumber'>

/**
 * One statement spends the nonces, writes the sessions down, tells of them, and forgets what other challenges the hosts have. A host is
 * left out unless it stands as it did when the proof was judged, and so is one whose row is held: the other may be its copy.
 */
const begin = together<Return, string>(async (db, returns) => {
  const answers: string[] = []
  // Of two proofs of one host the second has to be judged by what the first one changes.
  const firsts = new Map(
    returns.map((said, at) => [said.hostId.toLowerCase(), { ...said, at }] as const).toReversed(),
  )
  const rows = await db.execute<{ at: number; until: string }>(sql`
    with asked as materialized (
      select * from jsonb_to_recordset(${JSON.stringify([...firsts.values()])}::jsonb) as asked(at integer, "hostId" uuid,
        nonce text, confirmed uuid, next uuid, "publicKey" text, "sessionNumber" bigint, "bearerHash" text, "lifeMs" integer)
    ), held as (
      select asked.* from hosts join asked on asked."hostId" = hosts.id
      where hosts.session_number = asked."sessionNumber" and hosts.public_key = asked."publicKey" and hosts.removed_at is null
        and hosts.quarantined_at is null and hosts.awaits_approval_since is null
      order by hosts.id for no key update of hosts skip locked
    ), spent as (
      delete from session_challenges using held
      where session_challenges.nonce = held.nonce and session_challenges.host_id = held."hostId"
        and session_challenges.expires_at > now()
        and not exists (select 1 from agent_sessions used
          where used.host_id = held."hostId" and (used.id = held.next or used.confirmed = held.next))
      returning held.*
    ), begun as (
      insert into agent_sessions (host_id, id, confirmed, bearer_hash, bearer_expires_at)
      select "hostId", next, confirmed, "bearerHash", now() + "lifeMs" * interval '1 millisecond' from spent
      returning host_id, id, number, bearer_expires_at
    ), forgotten as (
      delete from session_challenges where nonce in (
        select other.nonce from session_challenges other join spent on spent."hostId" = other.host_id and spent.nonce <> other.nonce
        for update of other skip locked)
    ), back as (
      update hosts set session_id = begun.id, session_number = begun.number, proved_at = now()
      from begun join spent on spent."hostId" = begun.host_id where hosts.id = begun.host_id
      returning hosts.id, hosts.enrolment_id, spent.at, begun.bearer_expires_at as until
    ), told as (
      select ${tellingAll('host', sql`select id from back`)} as of_host, ${tellingAll('session', sql`select id from back`)} as of_session,
        ${tellingAll('enrolment', sql`select enrolment_id as id from back`)} as of_enrolment
    )
    select at, until, of_host, of_session, of_enrolment from back, told`)
  for (const { at, until } of rows) answers[at] = until
  return answers
}, arriving)
