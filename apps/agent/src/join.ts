// Getting in: redeeming a token once, and proving the key for each connection. Plain HTTP calls, before any socket.
import type { KeyObject } from 'node:crypto'
import type { JoinRouter } from '@restic-manager/server/join-api'
import { createTRPCClient, httpLink, type TRPCClient } from '@trpc/client'
import { pinnedFetch } from './trust.ts'
import { signProof, type Enrolment, type SessionOffer } from './identity.ts'

/** A client for the public side of a server. `ca`: the authority that was pinned for it. */
export function joinClient({
  serverUrl,
  ca,
}: {
  serverUrl: string
  ca?: string | undefined
}): TRPCClient<JoinRouter> {
  const url = endpoint(serverUrl, 'join').href
  return createTRPCClient<JoinRouter>({ links: [httpLink({ url, fetch: fetchHere(ca) })] })
}

/** Goes where it was told to and nowhere else: a redirect could lead a token out of the encryption. */
const fetchHere = (ca: string | undefined): NonNullable<Parameters<typeof httpLink>[0]['fetch']> => {
  const ask = ca === undefined ? fetch : pinnedFetch(ca)
  return async (url, init) =>
    turnBack(await ask(url as string, { ...(init as RequestInit), redirect: 'manual' }), url as string)
}

function turnBack(response: Response, from: string): Response {
  if (response.status < 300 || response.status >= 400) return response
  const to = URL.parse(response.headers.get('location') ?? '', from)?.origin ?? 'elsewhere'
  throw new Error(`it sends its callers on to ${to}; give the address it has itself`)
}

/** Proves this host's key and offers a session that is on disk. Resolves with the bearer for one upgrade. */
export async function proveSession(
  enrolment: Enrolment,
  key: KeyObject,
  { confirmed, next }: SessionOffer,
  signal: AbortSignal,
): Promise<string> {
  const join = joinClient(enrolment)
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
