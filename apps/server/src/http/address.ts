// Who is at the other end of a connection: the peer itself, or what a proxy we trust says.
import type { IncomingMessage } from 'node:http'
import { isIP, type BlockList } from 'node:net'

/** Whether `address` is on a list, such as that of the proxies whose headers are believed. */
export function isListed(list: BlockList, address: string): boolean {
  const plain = unmapped(address)
  const family = isIP(plain)
  return family !== 0 && list.check(plain, family === 6 ? 'ipv6' : 'ipv4')
}

/** The nearest address that is not a trusted proxy. */
export function clientAddress(request: IncomingMessage, trusted: BlockList): string {
  let address = unmapped(request.socket.remoteAddress ?? '')
  const header = request.headers['x-forwarded-for']
  const hops = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').map(hop => hop.trim())
  while (isListed(trusted, address)) {
    const next = unmapped(hops.pop() ?? '')
    if (isIP(next) === 0) break
    address = next
  }
  return address
}

/** What limits count by: an IPv4 address, or the /64 an IPv6 address is in, because one machine has all of that. */
export function limitKey(address: string): string {
  if (isIP(address) !== 6) return address
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? []
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const gap =
    tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  return [...left, ...gap, ...right]
    .slice(0, 4)
    .map(part => part.replace(/^0+(?=.)/, ''))
    .join(':')
}

const unmapped = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, '')
