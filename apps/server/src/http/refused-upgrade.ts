// What somebody hears whose WebSocket is not let in: an HTTP status and a sentence.
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { TurnedAwayReason } from '../fleet/turned-away.ts'

export type Answer = {
  status: number
  sentence: string
  reason: TurnedAwayReason
  retryAfterSeconds?: number
}
/** Answers an upgrade with no, and closes. */
export function refuse(socket: Duplex, { status, sentence, retryAfterSeconds }: Omit<Answer, 'reason'>) {
  if (socket.destroyed) return
  const body = JSON.stringify({ message: sentence })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(retryAfterSeconds === undefined ? [] : [`Retry-After: ${retryAfterSeconds}`]),
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
