// What prune and check say in words, as numbers: how far a stage has come, and what a prune will leave.

/** A line of progress: so many of so many of something. `of` is missing where restic does not know it. */
export type StageLine = { done: number; of: number | undefined; what: string }

const stageLine = /^\[(?:\d+:)?\d+:\d+\]\s+(?:[\d.]+%\s+)?(\d+)(?: \/ (\d+))? (.+)$/

/** Reads a line such as `[0:04] 69.23%  9 / 13 packs repacked`. Undefined for any other. */
export function readStage(line: string): StageLine | undefined {
  const [, done, of, what] = stageLine.exec(line) ?? []
  if (done === undefined || what === undefined) return undefined
  return { done: Number(done), of: of === undefined ? undefined : Number(of), what }
}

const figures: Record<string, { blobs?: string; bytes: string }> = {
  'to repack': { blobs: 'repackBlobs', bytes: 'repackBytes' },
  'to delete': { blobs: 'deleteBlobs', bytes: 'deleteBytes' },
  'total prune': { blobs: 'removedBlobs', bytes: 'removedBytes' },
  remaining: { blobs: 'remainingBlobs', bytes: 'remainingBytes' },
  'unused size after prune': { bytes: 'unusedBytes' },
}
const figureLine = /^([a-z ]+):\s+(?:(\d+) blobs \/ )?([\d.]+) (B|KiB|MiB|GiB|TiB|PiB|EiB)\b/
const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB']

/** The figures in a line of a prune, such as `remaining: 36 blobs / 203.406 KiB`, by name. Sizes as exact as restic says them. */
export function readPruneFigures(line: string): Record<string, number> {
  const [, words = '', blobs, size, unit = 'B'] = figureLine.exec(line.trim()) ?? []
  const names = figures[words]
  if (names === undefined || size === undefined) return {}
  return {
    ...(names.blobs === undefined || blobs === undefined ? {} : { [names.blobs]: Number(blobs) }),
    [names.bytes]: Math.round(Number(size) * 1024 ** units.indexOf(unit)),
  }
}
