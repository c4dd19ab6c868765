// Whether a request that carries a cookie comes from our own page.
import type { IncomingHttpHeaders } from 'node:http'

/** `publicUrl` undefined: nobody said how the server is reached, so the page's host must be the one it was asked under. */
export function isOwnOrigin(
  origin: string,
  host: string | undefined,
  publicUrl: string | undefined,
): boolean {
  if (publicUrl !== undefined) return origin === publicUrl
  const url = URL.parse(origin)
  return url !== null && host !== undefined && url.host === host.toLowerCase()
}

/**
 * Whether a browser may have been made to send this by a foreign page. Browsers put Origin on every POST and on
 * every WebSocket; programs that send neither Origin nor Sec-Fetch-Site are no browsers.
 */
export function isForeign(headers: IncomingHttpHeaders, publicUrl: string | undefined): boolean {
  if (headers.origin !== undefined) return !isOwnOrigin(headers.origin, headers.host, publicUrl)
  const site = headers['sec-fetch-site']
  return site !== undefined && site !== 'same-origin' && site !== 'none'
}
