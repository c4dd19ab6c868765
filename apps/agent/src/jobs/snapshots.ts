// The snapshots of a repository, in the contract's shape.
import type { Id } from '@restic-manager/contract/ids'
import { snapshotTags, type Snapshot } from '@restic-manager/contract/snapshots'
import { snapshotsArgs } from '../restic/args.ts'
import { fitText } from '../restic/fit-text.ts'
import {
  asCount,
  asInstant,
  asObject,
  asText,
  asTexts,
  parseDocument,
  type JsonValue,
} from '../restic/messages.ts'
import { targetOf } from './command.ts'
import type { RepositoryContext } from './context.ts'
import { ask } from './query.ts'

/** The snapshots this host made, oldest first. Throws `ResticFailure`. */
export async function listSnapshots(context: RepositoryContext): Promise<Snapshot[]> {
  return readSnapshots(context, snapshotTags.host(context.hostId))
}

/** All snapshots of the repository, whoever made them, oldest first. Throws `ResticFailure`. */
export async function listAllSnapshots(context: RepositoryContext): Promise<Snapshot[]> {
  return readSnapshots(context, undefined)
}

/** The snapshots that carry all of these tags, oldest first. Throws `ResticFailure`. */
export async function listTagged(context: RepositoryContext, tags: readonly string[]): Promise<Snapshot[]> {
  return readSnapshots(context, tags.join(','))
}

/** The snapshot a job made. Undefined when there is none. Throws `ResticFailure`. */
export async function findSnapshotOf(context: RepositoryContext, jobId: Id): Promise<Snapshot | undefined> {
  return (await readSnapshots(context, snapshotTags.job(jobId))).at(-1)
}

async function readSnapshots(context: RepositoryContext, tag: string | undefined): Promise<Snapshot[]> {
  const document = parseDocument(await ask(context, snapshotsArgs(targetOf(context), { tag })))
  return (Array.isArray(document) ? document : [])
    .flatMap(each => toSnapshot(each) ?? [])
    .toSorted((a, b) => a.time.localeCompare(b.time))
}

function toSnapshot(value: JsonValue): Snapshot | undefined {
  const json = asObject(value)
  const id = asText(json.id)
  const time = asInstant(json.time)
  if (!/^[0-9a-f]{64}$/.test(id) || time === undefined) return undefined
  const summary = asObject(json.summary)
  return {
    id,
    shortId: id.slice(0, 8),
    time,
    hostname: fitText(asText(json.hostname), 300),
    paths: asTexts(json.paths)
      .slice(0, 1_000)
      .map(path => fitText(path, 4_096)),
    tags: asTexts(json.tags)
      .slice(0, 200)
      .map(tag => fitText(tag, 300)),
    sizeBytes: asCount(summary.total_bytes_processed),
    fileCount: asCount(summary.total_files_processed),
  }
}
