// Passkeys: a key pair in an operator's device that signs for this server's name alone, unlocked by the device's own check.
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import { isIP } from 'node:net'
import { and, asc, eq, lt } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import { Refusal } from '@restic-manager/contract/refusal'
import type { Db } from '../db/open.ts'
import { operatorPasskeys as passkeys } from '../db/schema-operators.ts'
import { proveOnly } from './second-factors.ts'
import { openTicket, takeTicket } from './tickets.ts'

const mostPasskeys = 20

/** Whom passkeys sign for: the page's address, and its host name, which browsers tie each passkey to. */
type Place = { origin: string; name: string }

/** Throws a sentence where the page has an IP address instead of a name: browsers make no passkeys for those. */
function placeOf(publicUrl: string): Place {
  const url = new URL(publicUrl)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (host === '127.0.0.1' || host === '::1') url.hostname = 'localhost'
  else if (isIP(host) !== 0)
    throw new Refusal(
      'not_allowed',
      'Passkeys need a host name. Set RM_PUBLIC_URL to one, with https, and open the page there.',
    )
  return { origin: url.origin, name: url.hostname }
}

const badPasskey = () => new Refusal('bad_input', 'This passkey could not be read. Try again.')

/** What the browser needs to make a passkey; `ticket` goes back with it. */
export async function beginPasskey(
  db: Db,
  publicUrl: string,
  operator: { operatorId: string; email: string; name: string },
) {
  const place = placeOf(publicUrl)
  const there = await listPasskeys(db, operator.operatorId)
  if (there.length >= mostPasskeys)
    throw new Refusal('too_many', `There are ${mostPasskeys} passkeys already. Remove one first.`)
  const options = await generateRegistrationOptions({
    rpName: 'restic-manager',
    rpID: place.name,
    userName: operator.email,
    userDisplayName: operator.name,
    userID: new TextEncoder().encode(operator.operatorId),
    excludeCredentials: there.map(({ credentialId }) => ({ id: credentialId })),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  })
  const { operatorId } = operator
  return {
    options,
    ticket: await openTicket(db, 'passkey-new', { challenge: options.challenge, operatorId }),
  }
}

/** Keeps a passkey that the browser made. */
export async function addPasskey(
  db: Db,
  publicUrl: string,
  wish: { operatorId: string; sessionId: string; name: string; ticket: string; response: unknown },
): Promise<void> {
  const { operatorId, sessionId, name, ticket } = wish
  const place = placeOf(publicUrl)
  const begun = await takeTicket<{ challenge: string; operatorId: string }>(db, 'passkey-new', ticket)
  if (begun?.operatorId !== operatorId) throw new Refusal('bad_input', 'This took too long. Try again.')
  const { registrationInfo: made } = await verifyRegistrationResponse({
    response: wish.response as RegistrationResponseJSON,
    expectedChallenge: begun.challenge,
    expectedOrigin: place.origin,
    expectedRPID: place.name,
    requireUserVerification: true,
  }).catch(() => Promise.reject(badPasskey()))
  if (made === undefined) throw badPasskey()
  const { id, publicKey, counter, transports = [] } = made.credential
  await db.transaction(async tx => {
    const row = {
      id: newId(),
      operatorId,
      name,
      credentialId: id,
      publicKey: Buffer.from(publicKey),
      counter,
    }
    await tx
      .insert(passkeys)
      .values({ ...row, transports: [...transports], backedUp: made.credentialBackedUp })
    await proveOnly(tx, operatorId, sessionId)
  })
}

/** What the browser needs to sign. With `operatorId` only that operator's passkeys are asked for. */
export async function askForPasskey(db: Db, publicUrl: string, operatorId?: string) {
  const place = placeOf(publicUrl)
  const theirs = operatorId === undefined ? [] : await listPasskeys(db, operatorId)
  const options = await generateAuthenticationOptions({
    rpID: place.name,
    userVerification: 'required',
    allowCredentials: theirs.map(({ credentialId, transports }) => ({ id: credentialId, transports })),
  })
  return { options, ticket: await openTicket(db, 'passkey', { challenge: options.challenge }) }
}

/**
 * Whose passkey signed; undefined when nobody's did. A counter that does not go up means a copy of the key: it is turned down, and
 * so is the true one until the counter has passed that of the copy.
 */
export async function takePasskey(
  db: Db,
  publicUrl: string,
  { ticket, response }: { ticket: string; response: unknown },
): Promise<string | undefined> {
  const place = placeOf(publicUrl)
  const asked = await takeTicket<{ challenge: string }>(db, 'passkey', ticket)
  const given = response as AuthenticationResponseJSON | null
  if (asked === undefined || typeof given?.id !== 'string') return undefined
  const [kept] = await db.select().from(passkeys).where(eq(passkeys.credentialId, given.id))
  if (kept === undefined) return undefined
  const { id, operatorId, credentialId, publicKey, counter } = kept
  const verified = await verifyAuthenticationResponse({
    response: given,
    expectedChallenge: asked.challenge,
    expectedOrigin: place.origin,
    expectedRPID: place.name,
    credential: { id: credentialId, publicKey: new Uint8Array(publicKey), counter },
    requireUserVerification: true,
  }).catch(() => undefined)
  if (verified?.verified !== true) return undefined
  const { newCounter } = verified.authenticationInfo
  const used = await db
    .update(passkeys)
    .set({ counter: newCounter, lastUsedAt: new Date() })
    // Devices without a counter say 0 for ever.
    .where(
      and(eq(passkeys.id, id), newCounter === 0 ? eq(passkeys.counter, 0) : lt(passkeys.counter, newCounter)),
    )
    .returning({ id: passkeys.id })
  return used.length === 1 ? operatorId : undefined
}

/** An operator's passkeys, oldest first. */
export const listPasskeys = (db: Db, operatorId: string) =>
  db
    .select()
    .from(passkeys)
    .where(eq(passkeys.operatorId, operatorId))
    .orderBy(asc(passkeys.createdAt), asc(passkeys.id))

/** Forgets a passkey of an operator. Safe to call twice. */
export async function removePasskey(db: Db, wish: { operatorId: string; passkeyId: string }): Promise<void> {
  await db
    .delete(passkeys)
    .where(and(eq(passkeys.id, wish.passkeyId), eq(passkeys.operatorId, wish.operatorId)))
}
