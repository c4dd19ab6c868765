// Text to the peer of a WebSocket, written straight to the stream beneath it: all that is said in one turn of the event loop leaves in
// one piece. ws itself writes two pieces for each text, which costs more than the rest of a short answer.
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

/** A connection that is spoken to without compression. `due`: frames that leave at the end of this turn; at first none. */
export type Voice = { socket: WebSocket; stream: Duplex; due: string }

const MOST_DUE = 64 * 1024
/** What a frame with two bytes for its length can hold. */
const MOST_TEXT = 65_535

/** Says a text. Nothing is said to a connection that is closing. */
export function speak(voice: Voice, text: string): void {
  const { socket } = voice
  const { length } = text
  if (socket.readyState !== socket.OPEN) return
  // A character of ASCII is a byte, so that the frame can be put together as text.
  if (length > MOST_TEXT || Buffer.byteLength(text) !== length) {
    flush(voice)
    socket.send(text)
    return
  }
  if (voice.due === '') process.nextTick(flush, voice)
  voice.due += headOf(length) + text
  if (voice.due.length > MOST_DUE) flush(voice)
}

function flush(voice: Voice) {
  const { socket, stream, due } = voice
  if (due === '') return
  voice.due = ''
  if (socket.readyState === socket.OPEN) stream.write(due, 'latin1')
}

/** The head of a whole text in one frame, unmasked (RFC 6455, 5.2). */
const headOf = (bytes: number) =>
  bytes < 126
    ? String.fromCharCode(0x81, bytes)
    : String.fromCharCode(0x81, 126, Math.trunc(bytes / 256), bytes % 256)
