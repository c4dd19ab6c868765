// What the demo claims, checked: plain restic restores, every byte is compared, and the jobs are counted.
import { createHash } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { JobStatus } from '@restic-manager/contract/job'
import type { JobView } from '@restic-manager/contract/views'
import type { DemoHost } from './demo-hosts.ts'

async function digest(file: Buffer) {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

export type Comparison = { files: number; bytes: number; unread: number; wrong: string[] }

/** Compares what restic restored with what is on the host, byte by byte. Names are bytes: not every name is UTF-8. */
async function compareTrees(
  original: string,
  restored: string,
  unreadable: ReadonlySet<string>,
): Promise<Comparison> {
  const seen: Comparison = { files: 0, bytes: 0, unread: 0, wrong: [] }
  const walk = async (below: Buffer) => {
    const from = Buffer.concat([Buffer.from(original), below])
    const to = Buffer.concat([Buffer.from(restored), below])
    const back = new Set((await readdir(to, { encoding: 'buffer' })).map(name => name.toString('latin1')))
    for (const entry of await readdir(from, { withFileTypes: true, encoding: 'buffer' })) {
      const name = Buffer.concat([below, Buffer.from('/'), entry.name])
      const shown = `${original}${name.toString()}`
      const isBack = back.delete(entry.name.toString('latin1'))
      if (unreadable.has(shown)) {
        if (isBack) seen.wrong.push(`${shown} was said to be unread and is in the restore`)
        else seen.unread += 1
      } else if (!isBack) seen.wrong.push(`${shown} is missing`)
      else if (entry.isDirectory()) await walk(name)
      else {
        const source = Buffer.concat([Buffer.from(original), name])
        const copy = Buffer.concat([Buffer.from(restored), name])
        if ((await digest(source)) !== (await digest(copy))) seen.wrong.push(`${shown} differs`)
        seen.files += 1
      }
    }
    for (const left of back) seen.wrong.push(`${left} came back and was never there`)
  }
  await walk(Buffer.alloc(0))
  return seen
}

/** Restores a host's newest snapshot with plain restic and compares. */
export async function verifyHost(
  host: DemoHost,
  last: JobView,
  resticPath: string,
  folder: string,
): Promise<Comparison> {
  const target = path.join(folder, 'restored', host.name)
  await mkdir(target, { recursive: true })
  const restored = spawnSync(resticPath, ['restore', 'latest', '--no-lock', '--target', target], {
    env: {
      PATH: process.env['PATH'],
      RESTIC_REPOSITORY: host.repositoryFolder,
      RESTIC_PASSWORD: host.password,
      RESTIC_CACHE_DIR: path.join(folder, 'verify-cache'),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  })
  const unreadable = new Set(last.warnings.flatMap(({ path: file }) => (file === undefined ? [] : [file])))
  const comparison = await compareTrees(host.folder, path.join(target, host.folder), unreadable)
  if (restored.status !== 0) comparison.wrong.push(`restic restore: ${restored.stderr.trim()}`)
  return comparison
}

/** What the demo saw of one host. */
export type Seen = { host: DemoHost; last: JobView; snapshots: number; comparison: Comparison }

/** The one line of `--once --json`. `bytes` is what restic read, all jobs together. */
export type DemoResult = {
  ok: boolean
  hosts: number
  jobs: Partial<Record<JobStatus, number>>
  snapshots: number
  bytes: number
  seconds: number
}

/** Whether every promise held: bytes equal, a snapshot by hand and one by schedule, and each job ended as it deserves. */
export function judge(seen: Seen[], ended: JobView[], seconds: number): DemoResult {
  const jobs: Partial<Record<JobStatus, number>> = {}
  for (const { status } of ended) jobs[status] = (jobs[status] ?? 0) + 1
  const isAsPromised = ({ host, last, snapshots, comparison }: Seen) =>
    last.status === host.ends && snapshots >= 2 && comparison.files > 0 && comparison.wrong.length === 0
  return {
    ok:
      seen.every(isAsPromised) &&
      ended.every(({ kind, status }) => kind !== 'init' || status === 'succeeded') &&
      jobs.failed === 1, // the place that does not answer
    hosts: seen.length,
    jobs,
    snapshots: seen.reduce((sum, { snapshots }) => sum + snapshots, 0),
    bytes: ended.reduce((sum, { bytesProcessed }) => sum + (bytesProcessed ?? 0), 0),
    seconds,
  }
}
