// A fetch for what a provider answers: so much and no more, and by no detour.
import type { CustomFetch } from 'openid-client'

/** A key set or an answer about a person is a few KiB. In bytes. */
const most = 256 * 1024

/** Throws when the answer is longer than 256 KiB. Whoever asks bounds the time with `signal`. */
export const boundedFetch: CustomFetch = async (url, options) => {
  const response = await fetch(url, { ...(options as RequestInit), redirect: 'manual' })
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of response.body ?? []) {
    length += piece.byteLength
    if (length > most) throw new Error(`the answer is longer than ${most} bytes`)
    pieces.push(piece)
  }
  const { status, headers } = response
  const isBare = status === 101 || status === 204 || status === 205 || status === 304
  return new Response(isBare ? null : Buffer.concat(pieces), { status, headers })
}
