// Keys of hosts: which one a proof was signed with, and how another takes the place of the one a host was enrolled with.
import { createPublicKey, verify } from 'node:crypto'
import { promisify } from 'node:util'
import { and, eq, isNull, ne, or, sql } from 'drizzle-orm'
import { proofText, type SessionProof } from '@restic-manager/contract/join'
import { Refusal } from '@restic-manager/contract/refusal'
import type { HostSession } from '../context.ts'
import { notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hosts } from '../db/schema.ts'
import { hostActor, writeAudit } from './audit.ts'
import { fenced, isNewestSession } from './facts.ts'

type Keys = { publicKey: string; nextPublicKey: string | null; previousPublicKey: string | null }

/** Which key of a host signed a proof: the one it has, the one it has offered, the one that was replaced; undefined: none. */
export function keyBehind(host: Keys, proof: SessionProof): 'current' | 'next' | 'previous' | undefined {
  if (signatureFits(host.publicKey, proof)) return 'current'
  if (host.nextPublicKey !== null && signatureFits(host.nextPublicKey, proof)) return 'next'
  if (host.previousPublicKey !== null && signatureFits(host.previousPublicKey, proof)) return 'previous'
  return undefined
}

const signatureFits = (publicKey: string, proof: SessionProof): boolean =>
  verify(null, Buffer.from(proofText(proof)), keyOf(publicKey), signatureOf(proof))

const keyOf = (x: string) => createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
const signatureOf = ({ signature }: SessionProof) => Buffer.from(signature, 'base64url')

/** Whether it was signed with this key, found out beside the event loop: it is most of what a proof costs. */
export const isSignedWith = (publicKey: string, proof: SessionProof): Promise<boolean> =>
  promisify<boolean>(heard =>
    verify(null, Buffer.from(proofText(proof)), keyOf(publicKey), signatureOf(proof), heard),
  )()

/** Asks a host for another key, now or when it comes back. Safe to call twice. Throws `host_not_found`. */
export async function wantNewKey(db: Db, hostId: string): Promise<void> {
  await db.transaction(async tx => {
    const [asked] = await tx
      .update(hosts)
      .set({ keyChangeWantedAt: sql`coalesce(${hosts.keyChangeWantedAt}, now())` })
      .where(and(eq(hosts.id, hostId), isNull(hosts.removedAt)))
      .returning({ id: hosts.id })
    if (asked === undefined) throw new Refusal('host_not_found', 'There is no such host.')
    await notifyAll(tx, { orders: [hostId], host: [hostId] })
  })
}

/**
 * Keeps the key that a host would like to have. It takes over with the first proof it signs, and until then the old one is good: so
 * a crash anywhere in between leaves the host with a key that is. Safe to call twice. Throws `session_fenced` or `key_taken`.
 */
export async function offerKey(db: Db, host: HostSession, publicKey: string): Promise<void> {
  await db.transaction(async tx => {
    const [mine] = await tx
      .select({ publicKey: hosts.publicKey, previousPublicKey: hosts.previousPublicKey })
      .from(hosts)
      .where(isNewestSession(host))
      .for('no key update')
    if (mine === undefined) throw fenced()
    const [taken] = await tx
      .select({ id: hosts.id })
      .from(hosts)
      .where(
        and(ne(hosts.id, host.id), or(eq(hosts.publicKey, publicKey), eq(hosts.nextPublicKey, publicKey))),
      )
    if (taken !== undefined || mine.previousPublicKey === publicKey)
      throw new Refusal('key_taken', 'This key was used before. Make a new one.')
    await tx
      .update(hosts)
      .set({ nextPublicKey: mine.publicKey === publicKey ? null : publicKey })
      .where(eq(hosts.id, host.id))
  })
}

/** The offered key has signed a proof: from now on it is the host's, and the one before is refused. */
export async function takeOverKey(tx: Db, hostId: string): Promise<void> {
  const [host] = await tx
    .update(hosts)
    .set({
      publicKey: sql`${hosts.nextPublicKey}`,
      nextPublicKey: null,
      previousPublicKey: sql`${hosts.publicKey}`,
      keyChangedAt: sql`now()`,
      keyChangeWantedAt: null,
    })
    .where(eq(hosts.id, hostId))
    .returning({ id: hosts.id, name: hosts.name })
  if (host === undefined) return
  const target = { kind: 'host' as const, ...host }
  await writeAudit(tx, { actor: hostActor(host), action: 'key replaced', target, hostIds: [hostId] })
}
