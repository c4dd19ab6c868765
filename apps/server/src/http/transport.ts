// Whether what an agent sends can be read on its way: TLS, this very machine, or a proxy that says it took it over TLS.
import type { IncomingMessage } from 'node:http'
import type { BlockList } from 'node:net'
import { clientAddress, isListed } from './address.ts'

export type TransportRules = {
  trustedProxies: BlockList
  publicUrl: string | undefined
  /** The operator has said that plain http is fine here. */
  allowPlainHttp: boolean
}

/** What an agent is told that came by plain http from another machine. */
export const plainHttpSentence =
  'This server takes agents over TLS only. Use its https address, or set RM_ALLOW_PLAIN_HTTP=yes on the server.'

const isLoopback = (address: string) => address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address)

/** Whether what is sent to this address can be read on the way: plain http, and not to this very machine. */
export function travelsPlain(address: string): boolean {
  const { protocol, hostname } = new URL(address)
  return protocol === 'http:' && hostname !== 'localhost' && !isLoopback(hostname.replace(/^\[|\]$/g, ''))
}

/** Whether an agent may send its secrets this way. A proxy that says nothing counts as what the public address says. */
export function isPrivate(request: IncomingMessage, rules: TransportRules): boolean {
  const { trustedProxies, publicUrl, allowPlainHttp } = rules
  if (allowPlainHttp || 'encrypted' in request.socket) return true
  if (isLoopback(clientAddress(request, trustedProxies))) return true
  if (!isListed(trustedProxies, request.socket.remoteAddress ?? '')) return false
  const header = request.headers['x-forwarded-proto']
  // The nearest proxy's word is the last one; whatever stands before it may come from outside.
  const protocol = (Array.isArray(header) ? header.at(-1) : header)?.split(',').at(-1)?.trim().toLowerCase()
  return protocol === undefined ? publicUrl?.startsWith('https:') === true : protocol === 'https'
}
