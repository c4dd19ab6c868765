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
/** What comes next follows at once. */
const idleMs = 2_000

/** The way to one server: whatever goes by it in turn shares a connection while that is open, also an upgrade at the end. */
export type Way = http.Agent

/** Opens no connection yet. Destroying it closes those by which nothing goes. */
export function wayTo(where: { serverUrl: string; ca?: string | undefined }): Way {
  const { Agent } = where.serverUrl.startsWith('https:') ? https : http
  return new Agent({ ...trustOf(where), keepAlive: true, timeout: idleMs })
}

/** Makes what posts JSON to the server of that way. It follows no redirect. */
export function plainCaller(
  agent: Way,
): (url: string, body: string | undefined, signal: AbortSignal | null | undefined) => Promise<PlainAnswer> {
  const { request } = agent instanceof https.Agent ? https : http
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
