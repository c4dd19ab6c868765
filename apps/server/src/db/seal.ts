// Secrets at rest: AES-256-GCM, a fresh data key for each write, wrapped by a key that is never in the database.
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { eq, sql } from 'drizzle-orm'
import type { Db } from './open.ts'
import { settings } from './schema.ts'

/** Where a sealed text belongs. Moved to another row or column, it does not open. */
export type SealPlace = { table: string; row: string; column: string }

export type Seal = {
  /** Seals a secret for one place. The same secret sealed twice looks different. */
  seal(plain: string, place: SealPlace): string
  /** Opens what `seal` made for the same place under the same key; throws otherwise, without telling why. */
  open(sealed: string, place: SealPlace): string
  /** Tells keys apart and gives nothing of the key away. */
  fingerprint: string
}

const version = 'rm1'
const keyBytes = 32
const ivBytes = 12
const tagBytes = 16

/** A seal with `key`, 32 bytes. The text form is `rm1.fingerprint.wrapped data key.box`, the last two base64url. */
export function makeSeal(key: Buffer): Seal {
  if (key.length !== keyBytes)
    throw new Error(`A sealing key has ${keyBytes} bytes, this one has ${key.length}.`)
  const fingerprint = createHmac('sha256', key)
    .update('restic-manager key fingerprint')
    .digest('hex')
    .slice(0, 16)
  return {
    fingerprint,
    seal(plain, place) {
      const dataKey = randomBytes(keyBytes)
      const wrapped = encrypt(key, dataKey, bind('key', place))
      const box = encrypt(dataKey, Buffer.from(plain, 'utf8'), bind('box', place))
      return [version, fingerprint, wrapped.toString('base64url'), box.toString('base64url')].join('.')
    },
    open(sealed, place) {
      const [form, by, wrapped, box, ...rest] = sealed.split('.')
      if (form !== version || wrapped === undefined || box === undefined || rest.length > 0)
        throw new Error('A stored secret is not in a form this version can open.')
      if (by !== fingerprint) throw new Error('A stored secret was sealed with another key.')
      try {
        const dataKey = decrypt(key, Buffer.from(wrapped, 'base64url'), bind('key', place))
        return decrypt(dataKey, Buffer.from(box, 'base64url'), bind('box', place)).toString('utf8')
      } catch {
        throw new Error('A stored secret was changed, or moved from another place.')
      }
    },
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

/**
 * Reads the key from `file`: 32 bytes as they are, or as hex or base64. With `make`, a file that is missing is
 * made first, mode 0600; two servers that start together end up with one key.
 */
export async function loadSealingKey(file: string, { make }: { make: boolean }): Promise<Buffer> {
  if (make) await makeKeyFile(file)
  const content = await readFile(file)
  const key = content.length === keyBytes ? content : decodeKey(content.toString('latin1').trim())
  if (key?.length !== keyBytes)
    throw new Error(`${file} holds no sealing key: 32 bytes, or the same as hex or base64, are accepted.`)
  return key
}

function decodeKey(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex')
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return Buffer.from(text, 'base64')
  return undefined
}

async function makeKeyFile(file: string) {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const fresh = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  const handle = await open(fresh, 'wx', 0o600)
  try {
    await handle.writeFile(randomBytes(keyBytes))
    await handle.sync()
    // Fails when there is a key already: then that one counts.
    await link(fresh, file)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    await handle.close()
    await unlink(fresh)
  }
}

/** The row of `settings` that says which key this database was sealed with. */
export const fingerprintSetting = 'sealing_key_fingerprint'

/**
 * The seal of this database with the key in `file`. The key is made at the first start only; later a missing or
 * another key is a sentence, because everything sealed so far would be lost.
 */
export async function openSeal(db: Db, file: string): Promise<Seal> {
  const kept = await readFingerprint(db)
  const key = await loadSealingKey(file, { make: kept === undefined }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
      throw new Error(
        `The sealing key ${file} is missing. Put the file back, or set RM_SECRET_KEY_FILE to where it is.`,
      )
    },
  )
  const seal = makeSeal(key)
  await db
    .insert(settings)
    .values({ name: fingerprintSetting, value: seal.fingerprint })
    .onConflictDoNothing()
  const now = await readFingerprint(db)
  if (now !== seal.fingerprint)
    throw new Error(
      `The key in ${file} is not the one this database was sealed with (fingerprint ${seal.fingerprint}, needed ${String(now)}). Put the right file back, or set RM_SECRET_KEY_FILE to it.`,
    )
  return seal
}

/** As text: drizzle reads a string out of JSON once more, and takes digits with an `e` among them for a number. */
async function readFingerprint(db: Db): Promise<string | undefined> {
  const [kept] = await db
    .select({ fingerprint: sql<string>`${settings.value} #>> '{}'` })
    .from(settings)
    .where(eq(settings.name, fingerprintSetting))
  return kept?.fingerprint
}
