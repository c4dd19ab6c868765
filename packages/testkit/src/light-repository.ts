// Repositories whose password opens at once: restic stretches one for half a second of work each time it starts.
import { createCipheriv, createDecipheriv, createHash, randomBytes, scryptSync } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** As restic keeps it: one key to encrypt with, two halves of one to sign with. */
type Keys = { mac: { k: string; r: string }; encrypt: string }

type KeyFile = { kdf: string; N: number; r: number; p: number; salt: string; data: string }

/** How much a password is stretched; the least that restic takes. */
const light = { N: 2, r: 1, p: 1 }

/** Any irreducible one does: this one a restic drew. */
const polynomial = '22674343165643'

/** Makes an empty repository in `folder`, as `restic init` does there, and returns its id. */
export function makeLightRepository(folder: string, password: string): string {
  const names = Array.from({ length: 256 }, (_, at) => at.toString(16).padStart(2, '0'))
  for (const name of ['index', 'keys', 'locks', 'snapshots', ...names.map(name => `data/${name}`)])
    mkdirSync(join(folder, name), { recursive: true, mode: 0o700 })
  const random = (bytes: number) => randomBytes(bytes).toString('base64')
  const master: Keys = { mac: { k: random(16), r: random(16) }, encrypt: random(32) }
  const id = randomBytes(32).toString('hex')
  const config = { version: 2, id, chunker_polynomial: polynomial }
  writeFileSync(join(folder, 'config'), seal(master, config), { mode: 0o600 })
  writeKey(folder, password, master)
  return id
}

/** Replaces the keys of a repository in `folder` by one that opens with the same password, at once. */
export function lightenRepository(folder: string, password: string): void {
  const heavy = readdirSync(join(folder, 'keys'))
  for (const name of heavy) {
    const key = JSON.parse(readFileSync(join(folder, 'keys', name), 'utf8')) as KeyFile
    const master = open(stretch(password, key), Buffer.from(key.data, 'base64'))
    writeKey(folder, password, JSON.parse(master.toString('utf8')) as Keys)
  }
  for (const name of heavy) rmSync(join(folder, 'keys', name))
}

function writeKey(folder: string, password: string, master: Keys): void {
  const salt = randomBytes(64).toString('base64')
  const key = { kdf: 'scrypt', ...light, salt }
  const data = seal(stretch(password, key), master).toString('base64')
  const file = JSON.stringify({ created: new Date(), username: 'test', hostname: 'test', ...key, data })
  const name = createHash('sha256').update(file).digest('hex')
  writeFileSync(join(folder, 'keys', name), file, { mode: 0o600 })
}

function stretch(password: string, { N, r, p, salt }: Omit<KeyFile, 'kdf' | 'data'>): Keys {
  const bytes = scryptSync(password, Buffer.from(salt, 'base64'), 64, { N, r, p, maxmem: 2 ** 30 })
  const part = (from: number, to: number) => bytes.subarray(from, to).toString('base64')
  return { encrypt: part(0, 32), mac: { k: part(32, 48), r: part(48, 64) } }
}

/** Nonce, ciphertext and signature, one after the other. */
function seal(keys: Keys, value: object): Buffer {
  const nonce = randomBytes(16)
  const cipher = createCipheriv('aes-256-ctr', Buffer.from(keys.encrypt, 'base64'), nonce)
  const text = cipher.update(JSON.stringify(value))
  return Buffer.concat([nonce, text, sign(keys, nonce, text)])
}

function open(keys: Keys, sealed: Buffer): Buffer {
  const [nonce, text] = [sealed.subarray(0, 16), sealed.subarray(16, -16)]
  if (!sign(keys, nonce, text).equals(sealed.subarray(-16)))
    throw new Error('this password does not open this key')
  return createDecipheriv('aes-256-ctr', Buffer.from(keys.encrypt, 'base64'), nonce).update(text)
}

/** Poly1305-AES. */
function sign({ mac }: Keys, nonce: Buffer, text: Buffer): Buffer {
  const pad = createCipheriv('aes-128-ecb', Buffer.from(mac.k, 'base64'), null).update(nonce)
  const factor = littleEndian(Buffer.from(mac.r, 'base64')) & 0x0ffffffc0ffffffc0ffffffc0fffffffn
  const prime = (1n << 130n) - 5n
  let sum = 0n
  for (let at = 0; at < text.length; at += 16) {
    const block = Buffer.concat([text.subarray(at, at + 16), Buffer.from([1])])
    sum = ((sum + littleEndian(block)) * factor) % prime
  }
  const tag = BigInt.asUintN(128, sum + littleEndian(pad))
  return Buffer.from(Buffer.from(tag.toString(16).padStart(32, '0'), 'hex').toReversed())
}

const littleEndian = (bytes: Buffer) => BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`)
