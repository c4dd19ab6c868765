// Secrets at rest: AES-256-GCM, a fresh data key for each write, wrapped by a key that is never in the database.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { Refusal } from '@restic-manager/contract/refusal'
import { Secret } from '@restic-manager/runtime/secret'
import type { Db } from './open.ts'
import type { SealPlace } from './sealed-columns.ts'
import { fingerprintOf, keyBytes } from './sealing-keys.ts'

export type Seal = {
  /** Seals a secret for one place, with the key of `by`, or with the own one. The same secret sealed twice looks different. */
  seal(plain: string | Secret, place: SealPlace, by?: string): string
  /** Opens what was sealed for the same place under a key that is known here; throws otherwise, without telling why. */
  open(sealed: string, place: SealPlace): Secret
  /** The same secret, its data key wrapped by the own key. */
  rewrap(sealed: string, place: SealPlace): string
  /** Whether the key of a fingerprint is known here. */
  knows(fingerprint: string): boolean
  /** Of the own key: the one that is to seal, though while a rotation is prepared another one still does. */
  fingerprint: string
  /** Of every key that is known here, the own one first. */
  fingerprints: readonly string[]
}

const version = 'rm1'
const ivBytes = 12
const tagBytes = 16

/**
 * A seal with `key`, 32 bytes, that also opens what `earlier` ones sealed. The text form is
 * `rm1.fingerprint.wrapped data key.box`, the last two base64url.
 */
export function makeSeal(key: Buffer, earlier: readonly Buffer[] = []): Seal {
  for (const { length } of [key, ...earlier])
    if (length !== keyBytes) throw new Error(`A sealing key has ${keyBytes} bytes, this one has ${length}.`)
  const fingerprint = fingerprintOf(key)
  const keys = new Map([key, ...earlier].map(each => [fingerprintOf(each), each]))
  const keyOf = (by: string) => {
    const found = keys.get(by)
    // Another server may have it: whoever asked should ask again.
    if (found === undefined)
      throw new Refusal(
        'unavailable',
        'A stored secret was sealed with another key, which this server does not have.',
      )
    return found
  }
  const unwrap = (parts: Parts, place: SealPlace) =>
    intact(() => decrypt(keyOf(parts.by), parts.wrapped, bind('key', place)))
  return {
    fingerprint,
    fingerprints: [...keys.keys()],
    knows: by => keys.has(by),
    seal(plain, place, by = fingerprint) {
      const dataKey = randomBytes(keyBytes)
      const text = plain instanceof Secret ? plain.reveal() : plain
      const wrapped = encrypt(keyOf(by), dataKey, bind('key', place))
      return join({ by, wrapped, box: encrypt(dataKey, Buffer.from(text, 'utf8'), bind('box', place)) })
    },
    open(sealed, place) {
      const parts = split(sealed)
      const dataKey = unwrap(parts, place)
      return new Secret(intact(() => decrypt(dataKey, parts.box, bind('box', place)).toString('utf8')))
    },
    rewrap(sealed, place) {
      const parts = split(sealed)
      const wrapped = encrypt(key, unwrap(parts, place), bind('key', place))
      return join({ by: fingerprint, wrapped, box: parts.box })
    },
  }
}

type Parts = { by: string; wrapped: Buffer; box: Buffer }

function split(sealed: string): Parts {
  const [form, by, wrapped, box, ...rest] = sealed.split('.')
  if (form !== version || by === undefined || wrapped === undefined || box === undefined || rest.length > 0)
    throw new Error('A stored secret is not in a form this version can open.')
  return { by, wrapped: Buffer.from(wrapped, 'base64url'), box: Buffer.from(box, 'base64url') }
}

const join = ({ by, wrapped, box }: Parts) =>
  [version, by, wrapped.toString('base64url'), box.toString('base64url')].join('.')

function intact<T>(open: () => T): T {
  try {
    return open()
  } catch (cause) {
    if (cause instanceof Refusal) throw cause
    throw new Error('A stored secret was changed, or moved from another place.', { cause })
  }
}

function bind(what: 'key' | 'box', { table, row, column }: SealPlace): Buffer {
  return Buffer.from(JSON.stringify([version, what, table, row, column]))
}

function encrypt(key: Buffer, plain: Buffer, about: Buffer): Buffer {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes }).setAAD(about)
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

function decrypt(key: Buffer, box: Buffer, about: Buffer): Buffer {
  if (box.length < ivBytes + tagBytes) throw new Error('too short')
  const cipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, ivBytes), { authTagLength: tagBytes })
  cipher.setAAD(about).setAuthTag(box.subarray(-tagBytes))
  return Buffer.concat([cipher.update(box.subarray(ivBytes, -tagBytes)), cipher.final()])
}

/** The row of `settings` that says which key seals in this database. */
export const fingerprintSetting = 'sealing_key_fingerprint'

/**
 * Seals a secret with the key that the database asks for, in the transaction `tx` that stores it: a rotation waits until that has
 * ended, so that nothing comes in under the old key behind its back. Throws `unavailable` on a server without that key.
 */
export async function sealWithin(
  tx: Db,
  seal: Seal,
  plain: string | Secret,
  place: SealPlace,
): Promise<string> {
  const by = await readFingerprint(tx, { hold: true })
  return seal.seal(plain, place, by)
}

/**
 * Which key the database asks for; `hold`: it stays so until the transaction ends. As text: drizzle reads a string out of JSON once
 * more, and takes digits with an `e` among them for a number.
 */
export async function readFingerprint(db: Db, { hold = false } = {}): Promise<string | undefined> {
  const [kept] = await db.execute<{ fingerprint: string }>(
    sql`select value #>> '{}' as fingerprint from settings where name = ${fingerprintSetting} ${sql.raw(hold ? 'for share' : '')}`,
  )
  return kept?.fingerprint
}
