// Trees of files to back up: made fast, the same for the same seed, with the names of real life.
import { createCipheriv, createHash, type Cipheriv } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, readlinkSync, writeSync } from 'node:fs'

export type MadeFile = {
  /** Absolute when `dir` was. A Buffer would be needed for a name that is not UTF-8; here it is shown lossily. */
  path: string
  bytes: number
}

const filesPerFolder = 200
const zeros = Buffer.alloc(1024 * 1024)
const awkwardNames: readonly (string | Buffer)[] = [
  'with space',
  ' leading and trailing ',
  'grüße 世界 🗄',
  'e\u0301 beside \u00E9',
  "it's",
  '"quoted"',
  'back\\slash',
  'new\nline',
  'tab\there',
  '*?[a-z]',
  '$HOME;`id`',
  '#hash %41',
  '-dash',
  '--exclude=x',
  // Not UTF-8, which only Linux allows.
  ...(process.platform === 'linux' ? [Buffer.from([0x62, 0xe4, 0x64])] : []),
]

/**
 * Makes `files` files of together `bytes` bytes below `dir`, most of them small, a few large, none compressible.
 * The first ones have awkward names. Same arguments, same tree. Returns what it made.
 */
export function makeFiles(
  dir: string,
  { files, bytes, seed = 1 }: { files: number; bytes: number; seed?: number },
): MadeFile[] {
  const random = seededBytes(seed)
  const draw = () => random.update(zeros.subarray(0, 4)).readUInt32LE() / 2 ** 32
  const weights = Array.from({ length: files }, () => 1 / (draw() + 1e-4))
  const bytesPerWeight = bytes / weights.reduce((sum, weight) => sum + weight, 0)
  let left = bytes
  return weights.map((weight, index) => {
    const folder = `${dir}/folder-${String(Math.floor(index / filesPerFolder)).padStart(4, '0')}/`
    if (index % filesPerFolder === 0) mkdirSync(folder, { recursive: true })
    const path = Buffer.concat([Buffer.from(folder), Buffer.from(awkwardNames[index] ?? `file-${index}.bin`)])
    const size = index === files - 1 ? left : Math.floor(weight * bytesPerWeight)
    left -= size
    fill(path, size, random)
    return { path: path.toString(), bytes: size }
  })
}

/**
 * What lies below `dir`: each name, as bytes in latin1 so that none is lost, with a digest of its content (files), its
 * target (links) or its kind; `unreadable` with the reason for what cannot be read. Two trees are the same when this is.
 */
export function readTree(dir: string): Record<string, string> {
  const tree: Record<string, string> = {}
  const read = (folder: Buffer, shown: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true, encoding: 'buffer' })) {
      const path = Buffer.concat([folder, Buffer.from('/'), entry.name])
      const name = `${shown}${entry.name.toString('latin1')}`
      if (entry.isDirectory()) {
        tree[`${name}/`] = 'folder'
        read(path, `${name}/`)
      } else if (entry.isFile()) tree[name] = digestOf(path)
      else tree[name] = entry.isSymbolicLink() ? `-> ${readlinkSync(path)}` : 'other'
    }
  }
  read(Buffer.from(dir), '')
  return tree
}

function digestOf(path: Buffer): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex')
  } catch (error) {
    return `unreadable: ${(error as NodeJS.ErrnoException).code}`
  }
}

/** Bytes that look random and are the same for the same seed. */
function seededBytes(seed: number): Cipheriv {
  const key = createHash('sha256').update(`files ${seed}`).digest().subarray(0, 16)
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
}

function fill(path: Buffer, size: number, random: Cipheriv): void {
  const file = openSync(path, 'w')
  for (let left = size; left > 0; left -= zeros.length) {
    writeSync(file, random.update(zeros.subarray(0, left)))
  }
  closeSync(file)
}
