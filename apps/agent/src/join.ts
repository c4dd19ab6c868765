// Getting in: redeeming a token once, and proving the key for each connection. Plain HTTP calls, before any socket.
import type { KeyObject } from 'node:crypto'
import type { JoinRouter } from '@restic-manager/server/join-api'
import {
  createTRPCClient,
  TRPCClientError,
  type Operation,
  type TRPCClient,
  type TRPCLink,
} from '@trpc/client'
import { observable } from '@trpc/server/observable'
import type { TRPCErrorResponse } from '@trpc/server/rpc'
import { signProof, type Enrolment, type SessionOffer } from './identity.ts'
import { plainCaller, type PlainAnswer, type Way, wayTo } from './plain-call.ts'

type Where = { serverUrl: string; ca?: string | undefined }

/** A client for the public side of a server. `ca`: the authority that was pinned for it. */
export const joinClient = (where: Where, way: Way = wayTo(where)): TRPCClient<JoinRouter> =>
  createTRPCClient<JoinRouter>({ links: [plainLink(where, way)] })

/** Each call is a POST of its own. What the server says with an error is in the error, and its answer in `meta`. */
function plainLink(where: Where, way: Way): TRPCLink<JoinRouter> {
  const call = plainCaller(way)
  const url = endpoint(where.serverUrl, 'join').href
  return () =>
    ({ op }) =>
      observable(observer => {
        void answerTo(`${url}/${op.path}`, op)
          .then(data => {
            observer.next({ result: { type: 'data', data } })
            observer.complete()
          })
          .catch((cause: Error) => observer.error(TRPCClientError.from(cause)))
      })

  async function answerTo(address: string, { input, signal }: Operation): Promise<unknown> {
    const response = turnBack(await call(address, JSON.stringify(input), signal), address)
    const said = response.json() as { error?: TRPCErrorResponse['error']; result?: { data?: unknown } } | null
    if (said?.error !== undefined)
      throw TRPCClientError.from({ error: said.error } as TRPCErrorResponse, { meta: { response } })
    if (said?.result === undefined) throw new Error('this is no answer of a restic-manager server')
    return said.result.data
  }
}

/** Goes where it was told to and nowhere else: a redirect could lead a token out of the encryption. */
function turnBack(answer: PlainAnswer, from: string): PlainAnswer {
  if (answer.status < 300 || answer.status >= 400) return answer
  const to = URL.parse(answer.location ?? '', from)?.origin ?? 'elsewhere'
  throw new Error(`it sends its callers on to ${to}; give the address it has itself`)
}

/** Proves this host's key and offers a session that is on disk. Resolves with the bearer for one upgrade, best by the same way. */
export async function proveSession(
  { enrolment, way }: { enrolment: Enrolment; way: Way },
  key: KeyObject,
  { confirmed, next }: SessionOffer,
  signal: AbortSignal,
): Promise<string> {
  const join = joinClient(enrolment, way)
  const { hostId } = enrolment
  const { nonce } = await join.session.challenge.mutate({ hostId }, { signal })
  const proof = signProof(key, { hostId, nonce, confirmed, next })
  const { bearer } = await join.session.prove.mutate(proof, { signal })
  return bearer
}

/** Where a part of the server's API is, below whatever path the server itself is at. */
export function endpoint(serverUrl: string, part: 'join' | 'agent' | 'ca.pem'): URL {
  return new URL(part, serverUrl.endsWith('/') ? serverUrl : `${serverUrl}/`)
}

/** What is wrong with a server's address, as a sentence; undefined when it can be used. */
export function complaintAboutServer(url: string, allowPlainHttp: boolean): string | undefined {
  const parsed = URL.parse(url)
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol))
    return `--server is ${JSON.stringify(url)}; it must be an address such as https://backup.example.com.`
  if (parsed.username !== '' || parsed.password !== '')
    return '--server must not contain a user name or password.'
  if (parsed.protocol === 'https:' || allowPlainHttp || isLoopback(parsed.hostname)) return undefined
  return `${url} is not encrypted: repository passwords would cross the network in the clear. Use https, or --allow-plain-http if you are sure.`
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}
