// For tests only: a machine that joins by the book and holds a raw socket, to say what a good agent never would.
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { once } from 'node:events'
import { createTRPCClient, httpLink } from '@trpc/client'
import { WebSocket, type ClientOptions } from 'ws'
import { newId } from '@restic-manager/contract/ids'
import { proofText } from '@restic-manager/contract/join'
import type { JoinRouter } from './join-api/router.ts'

export type RawAgent = {
  hostId: string
  bearer(): Promise<string>
  /** `at`: the server to take the bearer to, if not the one that gave it. */
  dial(at?: string): Promise<RawSocket>
  /** A machine with the same key, which knows of the sessions until now, at that server. */
  copyAt(url: string): RawAgent
}

/** Redeems `token` and proves as many sessions as asked for. `headers`: what a proxy would add to each request. */
export async function joinAsAgent(
  url: string,
  token: string,
  headers: Record<string, string> = {},
): Promise<RawAgent> {
  const join = createTRPCClient<JoinRouter>({ links: [httpLink({ url: `${url}/join`, headers })] })
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const key = publicKey.export({ format: 'jwk' }).x ?? ''
  const { hostId } = await join.enrolment.redeem.mutate({ token, publicKey: key, hostname: 'raw' })
  return machineOf({ url, headers, hostId, privateKey, confirmed: null })
}

type Known = {
  url: string
  headers: Record<string, string>
  hostId: string
  privateKey: KeyObject
  confirmed: string | null
}

function machineOf(known: Known): RawAgent {
  const { url, headers, hostId, privateKey } = known
  const join = createTRPCClient<JoinRouter>({ links: [httpLink({ url: `${url}/join`, headers })] })
  let { confirmed } = known
  const bearer = async () => {
    const { nonce } = await join.session.challenge.mutate({ hostId })
    const proof = { hostId, nonce, confirmed, next: newId() }
    const signature = sign(null, Buffer.from(proofText(proof)), privateKey).toString('base64url')
    const answer = await join.session.prove.mutate({ ...proof, signature })
    confirmed = proof.next
    return answer.bearer
  }
  return {
    hostId,
    bearer,
    dial: async (at = url) =>
      openSocket(`${at}/agent`, { ...headers, authorization: `Bearer ${await bearer()}` }),
    copyAt: elsewhere => machineOf({ ...known, url: elsewhere, confirmed }),
  }
}

type Frame = {
  id: number | string | null
  result?: { type?: string; data?: unknown }
  error?: { message: string }
}

export type RawSocket = {
  socket: WebSocket
  frames: Frame[]
  closed: Promise<number>
  send(message: unknown): void
  call(id: number, method: string, path: string, input?: unknown): void
}

/** Opens a WebSocket; rejects with the HTTP status when it is refused. */
export async function openSocket(
  url: string,
  headers: Record<string, string>,
  options: ClientOptions = {},
): Promise<RawSocket> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), { perMessageDeflate: false, ...options, headers })
  const frames: Frame[] = []
  socket.on('message', data => frames.push(JSON.parse(String(data)) as Frame))
  const closed = new Promise<number>(resolve => socket.once('close', resolve))
  const refused = new Promise<never>((_, reject) => {
    socket.once('unexpected-response', (_request, response) => {
      response.resume()
      reject(new Error(`refused with ${response.statusCode}`))
    })
    socket.on('error', reject)
  })
  refused.catch(() => {})
  await Promise.race([once(socket, 'open'), refused])
  const send = (message: unknown) =>
    socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  return {
    socket,
    frames,
    closed,
    send,
    call: (id, method, path, input) => send({ id, method, params: { path, input } }),
  }
}
