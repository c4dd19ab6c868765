// Room held back on the disk: when everything else is full, how jobs end can still be written down.
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  openSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Log } from '@restic-manager/runtime/log'

/**
 * A thousand jobs can be open, and the bare facts about one, with their indexes, take up to 2 KiB: 2 MiB. SQLite puts
 * what it commits into its write-ahead log first, whole pages of it, and empties that every 1,000 pages: 4 MiB. That is
 * doubled where commits come while a reader holds the log, and rounded up.
 */
export const reserveBytes = 12 * 1024 * 1024
/** Given up in pieces: whoever fills the disk takes the rest of each. */
const pieceBytes = 256 * 1024
/** At least this much is left free beside the reserve when it is made again. */
const spareBytes = 1024 * 1024

/** `some`: half of it, for the beginnings of jobs and slots. `all`: what has begun must come to its end. */
export type Urgency = 'some' | 'all'

export type Reserve = {
  /** Does the work. Where the disk is full it gives up room, piece by piece, and does the work again. */
  spend<T>(urgency: Urgency, work: () => T): T
  /** Does the work without giving up anything, but notes when the disk was full. */
  watch<T>(work: () => T): T
  /** The disk was full at the last try, and the reserve is not whole again since. */
  isFull(): boolean
  /** Makes the reserve whole again if the disk has room. Costs nothing when it is whole. Never throws. */
  refill(): void
}

/** Whether an error says that a disk or a quota is full. */
export function isDiskFull(error: unknown): boolean {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  if (code === 'ENOSPC' || code === 'EDQUOT') return true
  // SQLITE_FULL, and what SQLite calls a quota: SQLITE_IOERR_WRITE, _FSYNC, _TRUNCATE and _SHMSIZE.
  return typeof errcode === 'number' && ((errcode & 0xff) === 13 || [778, 1034, 1546, 4874].includes(errcode))
}

/** Holds nothing back: for what is opened only for a moment. */
export const noReserve: Reserve = {
  spend: (_, work) => work(),
  watch: work => work(),
  isFull: () => false,
  refill() {},
}

/** Opens the reserve in `folder`, and makes it where there is room. On a full disk it gives some up at once, to start with. */
export function openReserve(folder: string, log: Log, wholeBytes = reserveBytes): Reserve {
  const path = join(folder, 'reserve')
  let held = sizeOf(path)
  let full = false

  function free(): number {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize
  }

  function change(work: (file: number) => void): void {
    const opened = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    try {
      work(opened)
    } finally {
      closeSync(opened)
      held = sizeOf(path)
    }
  }

  function release(urgency: Urgency): boolean {
    if (held <= (urgency === 'some' ? wholeBytes / 2 : 0)) return false
    change(opened => ftruncateSync(opened, Math.max(0, held - pieceBytes)))
    return true
  }

  function noteFull(): void {
    if (!full) log.error({ folder, reserve: held }, 'the disk of the spool is full')
    full = true
  }

  function refill(): void {
    if (held >= wholeBytes && !full) return
    try {
      const room = free() - spareBytes
      if (room <= 0) return
      const target = Math.min(wholeBytes, held + room)
      if (target > held) change(opened => fill(opened, held, target))
      if (full) log.info({ folder, reserve: held }, 'the disk of the spool has room again')
      full = false
    } catch (error) {
      log.warn({ err: error }, 'no room could be held back on the disk of the spool')
    }
  }

  if (held > 0 && free() < spareBytes) noteFull()
  else refill()
  while (full && free() < spareBytes && release('some'));
  return {
    spend(urgency, work) {
      for (;;) {
        try {
          return work()
        } catch (error) {
          if (!isDiskFull(error)) throw error
          noteFull()
          if (!release(urgency)) throw error
        }
      }
    },
    watch(work) {
      try {
        return work()
      } catch (error) {
        if (isDiskFull(error)) noteFull()
        throw error
      }
    },
    isFull: () => full,
    refill,
  }
}

/** Nothing is held where the file could not be made. */
const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0

/** Random bytes, since some file systems store zeros as nothing. */
function fill(file: number, from: number, to: number): void {
  for (let at = from; at < to; at += pieceBytes) {
    const piece = randomBytes(Math.min(pieceBytes, to - at))
    writeSync(file, piece, 0, piece.length, at)
  }
  fsyncSync(file)
}
