// Where a sealing key comes from: a file, the environment, or a program that prints it.
import { execFile } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Secret } from '@restic-manager/runtime/secret'

/** `command`: a program and its arguments, run without a shell. */
export type KeySource = { file: string } | { value: Secret } | { command: readonly string[] }

export const keyBytes = 32
const commandMs = 15_000
const mostCommandBytes = 4_096
const accepted = `${keyBytes} bytes, or the same as hex or base64, are accepted`

/** Tells keys apart and gives nothing of the key away. */
export const fingerprintOf = (key: Buffer): string =>
  createHmac('sha256', key).update('restic-manager key fingerprint').digest('hex').slice(0, 16)

/** A source as an operator knows it. */
export function nameOf(source: KeySource): string {
  if ('file' in source) return source.file
  return 'value' in source ? 'the environment' : `the command ${source.command[0] ?? ''}`
}

/**
 * The key of a source. With `make`, a file that is missing is made first. Throws a sentence when there is no key, or when others
 * than its owner could read it; undefined when the file is missing.
 */
export async function loadKey(source: KeySource, { make }: { make: boolean }): Promise<Buffer | undefined> {
  if ('file' in source)
    return loadSealingKey(source.file, { make }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
  if ('value' in source) return readKey(Buffer.from(source.value.reveal()), nameOf(source))
  return readKey(await printedBy(source.command), nameOf(source))
}

/**
 * Reads the key from `file`: 32 bytes as they are, or as hex or base64. With `make`, a file that is missing is
 * made first, mode 0600; two servers that start together end up with one key.
 */
export async function loadSealingKey(file: string, { make }: { make: boolean }): Promise<Buffer> {
  if (make) await makeKeyFile(file)
  await refuseOpenFile(file)
  return readKey(await readFile(file), file)
}

/** Makes a key file, readable by its owner only. One that is there already is left alone: false. */
export async function makeKeyFile(file: string): Promise<boolean> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const fresh = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  const handle = await open(fresh, 'wx', 0o600)
  try {
    await handle.writeFile(randomBytes(keyBytes))
    await handle.sync()
    // Fails when there is a key already: then that one counts.
    await link(fresh, file)
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    return false
  } finally {
    await handle.close()
    await unlink(fresh)
  }
}

/** A group may read it: that is how Kubernetes hands a secret to a user who is not root. */
async function refuseOpenFile(file: string) {
  const own = process.getuid?.()
  if (own === undefined) return
  const { mode, uid } = await stat(file)
  if ((mode & 0o027) !== 0)
    throw new Error(
      `The key file ${file} is open to others (mode ${(mode & 0o777).toString(8)}). Run: chmod 600 ${file}`,
    )
  if (uid !== own && uid !== 0 && own !== 0)
    throw new Error(
      `The key file ${file} belongs to the user ${uid}, who could change it. It has to belong to the server's own user (${own}) or to root.`,
    )
}

/** Whether a text is a sealing key. */
export const holdsKey = (text: string): boolean => keyIn(Buffer.from(text))?.length === keyBytes

const keyIn = (content: Buffer) =>
  content.length === keyBytes ? content : decodeKey(content.toString('latin1').trim())

function readKey(content: Buffer, from: string): Buffer {
  const key = keyIn(content)
  if (key?.length !== keyBytes) throw new Error(`There is no sealing key in ${from}: ${accepted}.`)
  return key
}

function decodeKey(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex')
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return Buffer.from(text, 'base64')
  return undefined
}

/** What a program prints. What it says on standard error is not passed on: it may hold anything. */
function printedBy([program = '', ...args]: readonly string[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const limits = { timeout: commandMs, maxBuffer: mostCommandBytes, killSignal: 'SIGKILL' } as const
    const child = execFile(
      program,
      args,
      { ...limits, encoding: 'buffer', shell: false },
      (error, stdout) => {
        if (error === null) return resolve(stdout)
        const why =
          error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'
            ? `it printed more than ${mostCommandBytes} bytes`
            : error.killed === true
              ? `it took longer than ${commandMs / 1_000} seconds`
              : typeof error.code === 'number'
                ? `it ended with code ${error.code}`
                : `it could not be run (${error.code ?? error.signal ?? 'unknown'})`
        return reject(
          new Error(
            `The command ${program} gave no sealing key: ${why}. Run it by hand as the server's user.`,
          ),
        )
      },
    )
    child.stdin?.end()
  })
}
