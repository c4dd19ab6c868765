// Fetches restic's official release for Linux, checked against a pinned SHA-256 before anything is unpacked.
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProgram } from './run-program.mjs'

const base = 'https://github.com/restic/restic/releases/download'

/** SHA-256 of the .bz2 files, from the release's own SHA256SUMS. */
const pinned = {
  '0.18.0': {
    x64: { name: 'linux_amd64', sha256: '98f6dd8bf5b59058d04bfd8dab58e196cc2a680666ccee90275a3b722374438e' },
    arm64: {
      name: 'linux_arm64',
      sha256: 'ce18179c25dc5f2e33e3c233ba1e580f9de1a4566d2977e8d9600210363ec209',
    },
  },
}

/** Each can unpack bzip2 from a file to its standard output; the first that works is used. */
const unpackers = [
  ['bzip2', '-dck'],
  ['busybox', 'bzip2', '-dck'],
  ['python3', '-c', 'import bz2,shutil,sys; shutil.copyfileobj(bz2.open(sys.argv[1]), sys.stdout.buffer)'],
]

/**
 * Downloads, verifies and unpacks one release to `target`. Throws a sentence when that cannot be done.
 * @param {{ version: string, target: string, scratch: string }} wanted
 */
export async function fetchRelease({ version, target, scratch }) {
  const release = process.platform === 'linux' ? pinned[version]?.[process.arch] : undefined
  if (!release)
    throw new Error(`no pinned release of restic ${version} for ${process.platform} ${process.arch}`)
  const name = `restic_${version}_${release.name}.bz2`
  const archive = await download(`${base}/v${version}/${name}`)
  const sha256 = createHash('sha256').update(archive).digest('hex')
  if (sha256 !== release.sha256) throw new Error(`${name} has SHA-256 ${sha256}, expected ${release.sha256}`)
  const file = join(scratch, name)
  await writeFile(file, archive)
  await unpack(file, target)
}

/** Five seconds to get an answer, then two minutes for the bytes. */
async function download(address) {
  const stop = new AbortController()
  let patience = setTimeout(() => stop.abort(new Error('no answer in 5 s')), 5_000)
  try {
    const response = await fetch(address, { signal: stop.signal })
    clearTimeout(patience)
    patience = setTimeout(() => stop.abort(new Error('not complete in 120 s')), 120_000)
    if (!response.ok) throw new Error(`HTTP ${response.status}`)
    return Buffer.from(await response.arrayBuffer())
  } catch (error) {
    throw new Error(`${address} cannot be reached: ${error.cause?.message ?? error.message}`, {
      cause: error,
    })
  } finally {
    clearTimeout(patience)
  }
}

async function unpack(file, target) {
  for (const [command, ...args] of unpackers) {
    const { ok } = await runProgram(command, [...args, file], { stdoutFile: target })
    if (ok) return
  }
  throw new Error('nothing here can unpack bzip2 (tried bzip2, busybox and python3)')
}
