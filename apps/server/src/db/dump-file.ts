// The file of a dump: a line that names it, a header, the rows of every table compressed, and a checksum of it all.
import { createHash, randomBytes } from 'node:crypto'
import { link, open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline as pipe } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { z } from 'zod'
import { Instant } from '@restic-manager/contract/scalars'

const format = 1
const title = (number: number) => `restic-manager dump ${number}\n`
const titlePattern = /^restic-manager dump (\d{1,6})\n/
const mostTitleBytes = 64
const mostHeaderBytes = 16 * 1024 * 1024
const trailer = (hash: string) => `\nsha256 ${hash}\n`
const trailerBytes = trailer('0'.repeat(64)).length
const blockBytes = 64 * 1024

const SqlName = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/)
/** A border of a partition as PostgreSQL writes it: of one column, a date or a number. */
const Border = z.string().regex(/^(?:'[0-9A-Za-z :.+-]{1,40}'|-?\d{1,19}|MINVALUE|MAXVALUE)$/)

/**
 * What stands at the top of a dump, readable with `head -2`. The rows follow in the order of `tables`, each as PostgreSQL's
 * `copy … to` writes it. `when` is the time of the migration in its journal; `keyFingerprint` is null when no server ever ran.
 */
export const DumpHeader = z.object({
  version: z.string().max(100),
  madeAt: Instant,
  migration: z.object({ tag: z.string().max(200), when: z.int() }),
  keyFingerprint: z.string().max(100).nullable(),
  tables: z.array(z.object({ name: SqlName, columns: z.array(SqlName).min(1), rows: z.int().nonnegative() })),
  /** `range` null: the default partition. */
  partitions: z.array(
    z.object({ name: SqlName, of: SqlName, range: z.object({ from: Border, to: Border }).nullable() }),
  ),
  /** What a column of ascending numbers gives next: after `last`, or `last` itself when it was not `used`. */
  numbers: z.array(
    z.object({ table: SqlName, column: SqlName, last: z.string().regex(/^\d{1,19}$/), used: z.boolean() }),
  ),
})
export type DumpHeader = z.infer<typeof DumpHeader>

export type DumpTable = DumpHeader['tables'][number]

/** A dump that was found whole. `rows` reads it from the first table on. */
export type OpenDump = AsyncDisposable & { header: DumpHeader; rows(): AsyncIterable<Buffer> }

/** Throws a sentence when there is something at `file` already. */
export async function refuseToOverwrite(file: string): Promise<void> {
  if ((await stat(file).catch(() => undefined)) !== undefined)
    throw new Error(`${file} is there already. Choose another name, or say --overwrite.`)
}

/**
 * Writes a dump beside its place and moves it there once it is safe on the disk, so that `file` is never half of one. Readable
 * by its owner only. Answers how long it is, in bytes.
 */
export async function writeDump(
  file: string,
  header: DumpHeader,
  rows: AsyncIterable<Buffer>,
  { overwrite, signal }: { overwrite: boolean; signal?: AbortSignal | undefined },
): Promise<number> {
  const part = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString('hex')}.part`)
  const handle = await open(part, 'wx', 0o600)
  try {
    const zstd = createZstdCompress({
      chunkSize: blockBytes,
      params: { [constants.ZSTD_c_checksumFlag]: 1 },
    })
    const checked = checksum(`${title(format)}${JSON.stringify(DumpHeader.parse(header))}\n`)
    await pipeline(rows, zstd, checked, source => handle.writeFile(source), { signal })
    await handle.sync()
    const { size } = await handle.stat()
    await handle.close()
    await settle(part, file, overwrite)
    return size
  } finally {
    await handle.close()
    await rm(part, { force: true })
  }
}

function checksum(head: string) {
  return async function* (source: AsyncIterable<Buffer>) {
    const hash = createHash('sha256').update(head)
    yield Buffer.from(head)
    for await (const chunk of source) {
      hash.update(chunk)
      yield chunk
    }
    yield Buffer.from(trailer(hash.digest('hex')))
  }
}

/** Gives the finished file its name, and sees to it that the name survives a power cut. */
async function settle(part: string, file: string, overwrite: boolean) {
  if (overwrite) await rename(part, file)
  else {
    try {
      // Unlike a rename it never takes the place of another file.
      await link(part, file)
    } catch (error) {
      // Either the name is taken, or the file system has no links.
      if (codeOf(error) !== 'EEXIST') await refuseToOverwrite(file)
      else
        throw new Error(`${file} is there already. Choose another name, or say --overwrite.`, {
          cause: error,
        })
      await rename(part, file)
    }
  }
  const folder = await open(dirname(file))
  await folder.sync().catch(() => {})
  await folder.close()
}

/** Opens a dump and reads all of it once, to know that it is whole. Throws a sentence when it is not, or not one of ours. */
export async function openDump(file: string): Promise<OpenDump> {
  const handle = await open(file).catch((error: unknown) => {
    throw new Error(`${file} cannot be read (${codeOf(error)}).`, { cause: error })
  })
  try {
    const { size } = await handle.stat()
    const start = await readTitle(handle, file)
    await verify(handle, file, size)
    const { header, end } = await readHeader(handle, file, start, size)
    return {
      header,
      rows() {
        const body = handle.createReadStream({ autoClose: false, start: end, end: size - trailerBytes - 1 })
        // What goes wrong at either of the two is thrown to whoever reads the rows.
        return pipe(body, createZstdDecompress({ chunkSize: blockBytes }), () => {})
      },
      [Symbol.asyncDispose]: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function readTitle(handle: FileHandle, file: string): Promise<number> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(mostTitleBytes), 0, mostTitleBytes, 0)
  const found = titlePattern.exec(buffer.toString('latin1', 0, bytesRead))
  if (found === null) throw new Error(`${file} is not a dump that restic-manager made.`)
  if (Number(found[1]) > format)
    throw new Error(`${file} was made by a newer version of restic-manager. Restore it with that version.`)
  return found[0].length
}

async function verify(handle: FileHandle, file: string, size: number) {
  const end = size - trailerBytes
  const hash = createHash('sha256')
  if (end > 0)
    for await (const chunk of handle.createReadStream({ autoClose: false, start: 0, end: end - 1 }))
      hash.update(chunk as Buffer)
  const expected = Buffer.from(trailer(hash.digest('hex')))
  const { buffer } = await handle.read(Buffer.alloc(trailerBytes), 0, trailerBytes, Math.max(end, 0))
  if (!buffer.equals(expected)) throw damaged(file)
}

async function readHeader(handle: FileHandle, file: string, start: number, size: number) {
  const most = Math.min(mostHeaderBytes, size - trailerBytes - start)
  const { buffer } = await handle.read(Buffer.alloc(most), 0, most, start)
  const end = buffer.indexOf('\n')
  const header = DumpHeader.safeParse(parseJson(buffer.toString('utf8', 0, end)))
  if (!header.success) throw damaged(file)
  return { header: header.data, end: start + end + 1 }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const damaged = (file: string) =>
  new Error(`${file} is damaged or cut short: its checksum does not fit. Nothing was changed.`)

const codeOf = (error: unknown) =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
