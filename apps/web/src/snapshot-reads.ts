// What is read of snapshots, apart from the pages that show them: it is asked for while their code is still on its way.
import type { Id } from '@restic-manager/contract/ids'
import { client, trpc } from './trpc.ts'

export type SnapshotsOf = { hostId?: Id; repositoryId?: Id }
export type SnapshotFilter = { [Key in keyof SnapshotsOf | 'search' | 'tag']?: string | undefined }

/** The newest of a host or a repository. */
export const newestSnapshots = (of: SnapshotsOf) => trpc.snapshots.list.queryOptions({ limit: 20, ...of })

/** The list, page by page. */
export function snapshotPages(filter: SnapshotFilter) {
  const input = { limit: 100, ...filter }
  return {
    queryKey: trpc.snapshots.list.infiniteQueryKey(input),
    read: (cursor: string | undefined, signal: AbortSignal) =>
      client.snapshots.list.query({ ...input, cursor }, { signal }),
  }
}
