// How a simulated agent gets in: a key out of its own row of random numbers, a token, and a proof for each connection.
import { createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto'
import { ChallengeAnswer, EnrolmentAnswer, ProofAnswer, proofText } from '@restic-manager/contract/join'
import type { Random } from './simulated-agent-options.ts'
import { Refused, type Reader } from './simulated-link.ts'

/** What stands before the 32 bytes of an Ed25519 key in its PKCS #8 form (RFC 8410). */
const keyPrefix = Buffer.from('302e020100300506032b657004220420', 'hex')

/** The same key for the same row of numbers. */
export function makeKey(random: Random): KeyObject {
  const secret = Buffer.from(Array.from({ length: 32 }, () => Math.floor(random() * 256)))
  return createPrivateKey({ key: Buffer.concat([keyPrefix, secret]), format: 'der', type: 'pkcs8' })
}

/** A UUID (version 4) out of a row of random numbers. */
export function makeId(random: Random): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16))
  hex[12] = '4'
  hex[16] = '89ab'[Math.floor(random() * 4)] ?? '8'
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
    .map(part => part.join(''))
    .join('-')
}

export type Join = { url: string; waitMs: number }

/** Redeems a token for a host of this name. Safe to repeat with the same key. */
export async function enrol(
  join: Join,
  { token, hostname, key }: { token: string; hostname: string; key: KeyObject },
): Promise<string> {
  const publicKey = createPublicKey(key).export({ format: 'jwk' }).x
  return (await ask(join, 'enrolment.redeem', { token, publicKey, hostname }, EnrolmentAnswer)).hostId
}

/** Proves the key for the session that is to begin. Resolves with the bearer of one upgrade. */
export async function prove(
  join: Join,
  {
    hostId,
    key,
    confirmed,
    next,
  }: { hostId: string; key: KeyObject; confirmed: string | null; next: string },
): Promise<string> {
  const { nonce } = await ask(join, 'session.challenge', { hostId }, ChallengeAnswer)
  const proof = { hostId, nonce, confirmed, next }
  const signature = sign(null, Buffer.from(proofText(proof)), key).toString('base64url')
  return (await ask(join, 'session.prove', { ...proof, signature }, ProofAnswer)).bearer
}

async function ask<T>({ url, waitMs }: Join, path: string, input: object, answer: Reader<T>): Promise<T> {
  const response = await fetch(new URL(`join/${path}`, url.endsWith('/') ? url : `${url}/`), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(input),
    redirect: 'error',
    signal: AbortSignal.timeout(waitMs),
  })
  const said = (await response.json()) as {
    result?: { data: unknown }
    error?: { message?: string; data?: { code?: string } }
  }
  if (said.result === undefined)
    throw new Refused(said.error?.data?.code ?? String(response.status), said.error?.message ?? '')
  return answer.parse(said.result.data)
}
