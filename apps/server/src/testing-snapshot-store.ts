// For benchmarks only: a database as it is shipped, with a repository of very many snapshots, and a host that reports its own.
import { sql } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import {
  MAX_REPORT_PAGE_BYTES,
  type Snapshot,
  SnapshotsReport,
  snapshotTags,
} from '@restic-manager/contract/snapshots'
import { hosts } from './db/schema.ts'
import { keepSnapshotReport } from './fleet/snapshots.ts'
import { makeKey } from './testing-fleet.ts'
import { openShipped } from './testing-shipped.ts'

export type SnapshotStore = AsyncDisposable & {
  /** Other hosts of the repository get so many snapshots, evenly. */
  fill(snapshots: number, others: number): Promise<void>
  /** The frames of a report of the host's first `count` snapshots, as an agent cuts and sends them. Made anew for each report. */
  report(count: number): string[]
  /** What the server does with one of them once it is read from the socket. */
  keep(frame: string): Promise<void>
  /** How many the mirror holds of the host. */
  held(): Promise<number>
}

/** Starts the database of `dataDir` and makes the host and its repository. */
export async function openSnapshotStore(dataDir: string): Promise<SnapshotStore> {
  const shipped = await openShipped(dataDir)
  const { db, host } = shipped
  const { hostId, repositoryId, sender } = host
  return {
    async fill(snapshots, others) {
      const rows = Array.from({ length: others }, (_, at) => ({
        ...{ id: newId(), name: `other-${at}`, hostname: `other-${at}`, publicKey: makeKey().publicKey },
      }))
      await db.insert(hosts).values(rows)
      for (const { id, name } of rows)
        await db.execute(sql`
          insert into snapshots (repository_id, id, short_id, taken_at, hostname, paths, tags, size_bytes, file_count, host_id)
          select ${repositoryId}::uuid, encode(sha256((${id} || n)::bytea), 'hex'), left(encode(sha256((${id} || n)::bytea), 'hex'), 8),
            now() - n * interval '1 hour', ${name}, array['/srv/app', '/etc'], array[${snapshotTags.host(id)}], 1e9, 1e5, ${id}::uuid
          from generate_series(1, ${Math.round(snapshots / others)}::integer) as n`)
      await db.execute(sql`analyze snapshots`)
    },
    report(count) {
      const pages = pagesOf(Array.from({ length: count }, (_, at) => snapshotOf(hostId, at)))
      const reportId = newId()
      return pages.map((snapshots, page) =>
        JSON.stringify({
          ...{ ...host.fact(), repositoryId, reportId, scope: 'own', page, pages: pages.length, snapshots },
        }),
      )
    },
    async keep(frame) {
      await keepSnapshotReport(db, sender, SnapshotsReport.parse(JSON.parse(frame)))
    },
    async held() {
      const [row] = await db.execute<{ held: number }>(
        sql`select count(*)::integer as held from snapshots where host_id = ${hostId}`,
      )
      return row?.held ?? 0
    },
    [Symbol.asyncDispose]: () => shipped[Symbol.asyncDispose](),
  }
}

function snapshotOf(hostId: string, at: number): Snapshot {
  const id = at.toString(16).padStart(8, '0').repeat(8)
  return {
    ...{ id, shortId: id.slice(0, 8), time: new Date(1_790_000_000_000 + at * 3_600_000).toISOString() },
    ...{ hostname: 'web-1', paths: ['/srv/app', '/etc', '/var/lib/app'] },
    ...{ tags: [snapshotTags.host(hostId), 'rm'], sizeBytes: 9_000_000_000 + at, fileCount: 120_000 },
  }
}

/** As many on each page as an agent would put there. */
function pagesOf(snapshots: readonly Snapshot[]): Snapshot[][] {
  const each = Math.floor(MAX_REPORT_PAGE_BYTES / (JSON.stringify(snapshots[0]).length + 1))
  return Array.from({ length: Math.ceil(snapshots.length / each) }, (_, at) =>
    snapshots.slice(at * each, (at + 1) * each),
  )
}
