// One HTTP call to the server, for the few that come before the socket. Node's own fetch would cost 15 MB for as long as the agent runs.
import * as http from 'node:http'
import * as https from 'node:https'
import { trustOf } from './trust.ts'

/** What the server answered. */
export class PlainAnswer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly location: string | undefined
  readonly #text: string
  constructor(status: number, headers: http.IncomingHttpHeaders, text: string) {
    this.status = status
    this.retryAfter = headers['retry-after']
    this.location = headers.location
    this.#text = text
  }
  /** Throws when it is no JSON. */
  json(): unknown {
    return JSON.parse(this.#text)
  }
}

/** What is answered to these calls takes a few hundred bytes. */
const mostBytes = 1024 * 1024
/** The next call follows at once, on the same connection. */
const idleMs = 2_000

/** Makes what posts JSON to one server, each time over the connection of the last while that is open. It follows no redirect. */
export function plainCaller(where: {
  serverUrl: string
  ca?: string | undefined
}): (url: string, body: string | undefined, signal: AbortSignal | null | undefined) => Promise<PlainAnswer> {
  const { Agent, request } = where.serverUrl.startsWith('https:') ? https : http
  const agent = new Agent({ ...trustOf(where), keepAlive: true, timeout: idleMs })
  return (url, body, signal) =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' }
      const options = { agent, method: 'POST', headers, ...(signal == null ? {} : { signal }) }
      request(url, options, response => {
        let size = 0
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => {
          size += piece.length
          if (size > mostBytes) response.destroy(new Error('the server answers without end'))
          else pieces.push(piece)
        })
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(pieces).toString()
          resolve(new PlainAnswer(response.statusCode ?? 502, response.headers, text))
        })
      })
        .on('error', reject)
        .end(body)
    })
}
