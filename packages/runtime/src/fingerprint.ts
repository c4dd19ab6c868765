// The fingerprint of a host's key: short enough that two people can compare it.
import { createHash } from 'node:crypto'

/**
 * Half of the SHA-256 of an Ed25519 public key as it stands on the wire (base64url), in eight groups of four hex digits. Nobody
 * can make another key to the same one.
 */
export function fingerprintOf(publicKey: string): string {
  const hash = createHash('sha256').update(Buffer.from(publicKey, 'base64url')).digest('hex')
  return (hash.slice(0, 32).match(/.{4}/g) ?? []).join(' ')
}
