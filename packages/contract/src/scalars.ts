// The small shapes that messages are made of: instants, sizes, bounded text.
import { z } from 'zod'

/** An instant on the wire: ISO-8601 UTC with milliseconds, `2026-11-23T07:12:56.534Z`, from 1970 to 9999 (PostgreSQL refuses a year 0). */
export const Instant = z.iso.datetime({ precision: 3 }).refine(at => at >= '1970', 'is before 1970')
export type Instant = z.infer<typeof Instant>

/** The instant of a `Date` or of Unix milliseconds, as it stands on the wire. */
export const toInstant = (at: Date | number): Instant => new Date(at).toISOString()

/** A count or a size in bytes. Never negative, never fractional. */
export const Count = z.int().min(0)

/** A version of a plan or of a configuration. 0: none applied yet. Bounded so that a database's integer holds it. */
export const Version = z.int().min(0).max(2_000_000_000)

const isStorableText = (value: string) => !value.includes('\0') && value.isWellFormed()

/** Text of at most `max` UTF-16 units that PostgreSQL can store: no NUL, no lone surrogate. */
export const text = (max: number) =>
  z.string().max(max).refine(isStorableText, 'has a NUL or half a character')

/** JSON that PostgreSQL can store, its texts and names included. */
export const StorableJson = z.json().refine(isStorable, 'has a NUL or half a character')

function isStorable(value: z.core.util.JSONType): boolean {
  if (typeof value === 'string') return isStorableText(value)
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([name, inner]) => isStorableText(name) && isStorable(inner))
}

/** Ends a line, is not shown, or turns what stands after it round: such a name could pass for another. */
const unseen = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u

/** A host name, an operator's name for a thing, a tag: one line of what can be seen. */
export const Name = text(200)
  .min(1)
  .refine(value => !unseen.test(value), 'has a control character')

/** A sentence for a person. */
export const Sentence = text(2_000)

/** A path on a host. Linux and macOS allow 4,096 bytes. */
export const Path = text(4_096).min(1)

/** An Ed25519 public key: 32 bytes, base64url without padding. */
export const PublicKey = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'is not an Ed25519 public key in base64url')

/** An Ed25519 signature: 64 bytes, base64url without padding. */
export const Signature = z.string().regex(/^[A-Za-z0-9_-]{86}$/, 'is not an Ed25519 signature in base64url')
