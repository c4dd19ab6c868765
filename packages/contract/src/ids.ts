// Identifiers: every row, job and report has a UUID; the ones we make sort by time.
import { z } from 'zod'

/** Any identifier of the system: a UUID in its lower- or upper-case text form. */
export const Id = z.uuid()
export type Id = z.infer<typeof Id>

/** Makes a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits. */
export function newId(now: number = Date.now()): Id {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const view = new DataView(bytes.buffer)
  view.setUint16(0, Math.floor(now / 2 ** 32))
  view.setUint32(2, now % 2 ** 32)
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x70)
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80)
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
