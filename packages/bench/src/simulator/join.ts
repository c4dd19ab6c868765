// How a simulated agent gets in: a key out of its own row of random numbers, a token, and a proof for each connection.
import { createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { text } from 'node:stream/consumers'
import { TurnedAway } from '@restic-manager/agent/link'
import { ChallengeAnswer, EnrolmentAnswer, ProofAnswer, proofText } from '@restic-manager/contract/join'
import type { Random } from './agent-options.ts'
import { Refused, type Reader } from './link.ts'

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

/** How one host gets to its server. Its calls and the upgrade after them go over one connection of its own, as those of a real agent. */
export type Door = {
  readonly url: string
  readonly localAddress: string | undefined
  readonly waitMs: number
  readonly connection: http.Agent
}

/** Where a host dials, from which address, and how long it waits for an answer. */
export function openDoor(where: Omit<Door, 'connection'>): Door {
  const { Agent } = where.url.startsWith('https:') ? https : http
  return { ...where, connection: new Agent({ keepAlive: true, maxSockets: 1 }) }
}

/** Redeems a token for a host of this name. Safe to repeat with the same key. */
export async function enrol(
  door: Door,
  { token, hostname, key }: { token: string; hostname: string; key: KeyObject },
): Promise<string> {
  const publicKey = createPublicKey(key).export({ format: 'jwk' }).x
  return (await ask(door, 'enrolment.redeem', { token, publicKey, hostname }, EnrolmentAnswer)).hostId
}

/** Proves the key for the session that is to begin. Resolves with the bearer of one upgrade. */
export async function prove(
  door: Door,
  {
    hostId,
    key,
    confirmed,
    next,
  }: { hostId: string; key: KeyObject; confirmed: string | null; next: string },
): Promise<string> {
  const { nonce } = await ask(door, 'session.challenge', { hostId }, ChallengeAnswer)
  const proof = { hostId, nonce, confirmed, next }
  const signature = sign(null, Buffer.from(proofText(proof)), key).toString('base64url')
  return (await ask(door, 'session.prove', { ...proof, signature }, ProofAnswer)).bearer
}

async function ask<T>(door: Door, path: string, input: object, answer: Reader<T>): Promise<T> {
  const response = await post(door, path, JSON.stringify(input))
  const status = response.statusCode ?? 0
  const said = JSON.parse(await text(response)) as {
    result?: { data: unknown }
    error?: { message?: string; data?: { code?: string } }
  }
  if (said.result !== undefined) return answer.parse(said.result.data)
  const { message = '', data } = said.error ?? {}
  if (status === 429 || status === 503) throw new TurnedAway(status, message, response.headers['retry-after'])
  throw new Refused(data?.code ?? String(status), message)
}

async function post(
  { url, localAddress, waitMs, connection }: Door,
  path: string,
  body: string,
): Promise<IncomingMessage> {
  const address = new URL(`join/${path}`, url.endsWith('/') ? url : `${url}/`)
  const { request } = address.protocol === 'https:' ? https : http
  const call = request(address, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    agent: connection,
    localAddress,
    signal: AbortSignal.timeout(waitMs),
  })
  // One that breaks after its answer began shows in the answer.
  call.on('error', () => {})
  call.end(body)
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  return response
}
