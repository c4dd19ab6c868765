// Which jobs have begun on this host, in a file of its own: when the records are damaged, none of them begins again.
import { closeSync, existsSync, fstatSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { JobReason } from '@restic-manager/contract/reasons'
import { toInstant } from '@restic-manager/contract/scalars'
import type { Log } from '@restic-manager/runtime/log'
import { savePrivateFile, syncFolder } from './files.ts'
import type { Store } from './store.ts'
import type { Clock } from './timers.ts'

export type StartBook = {
  /** Writes down that a job is about to begin: on disk for good when this returns. Throws where the disk does not take it. */
  note(jobId: string): void
  /** The jobs that began in the last two weeks, and perhaps some before. What cannot be read is left out. Never throws. */
  begun(): string[]
}

type Start = { at: string; jobId: string }

/** The server orders nothing older than some hours, and no slot is caught up after that long. */
const keptMs = 14 * 24 * 3_600_000
/** As many are kept whatever the clock says: it may have jumped. And no more than one for each minute. */
const leastKept = 1_000
const mostKept = 20_000
/** A file of less than this is never written anew. It doubles before it is written anew again. */
const smallBytes = 128 * 1024

/** Opens the book in `folder`. A line that was torn or damaged costs no more than that line. */
export function openStartBook(folder: string, log: Log, clock: Pick<Clock, 'now'>): StartBook {
  const path = join(folder, 'begun-jobs')
  let rewriteAt = smallBytes
  /** The last line may have been torn: the next begins one of its own. */
  let isTorn = true

  function append(line: string): number {
    const isNew = !existsSync(path)
    const file = openSync(path, 'a', 0o600)
    let bytes: number
    try {
      const text = isTorn ? `\n${line}` : line
      isTorn = true
      writeFileSync(file, text)
      fsyncSync(file)
      bytes = fstatSync(file).size
    } finally {
      closeSync(file)
    }
    if (isNew) syncFolder(dirname(path))
    isTorn = false
    return bytes
  }

  function readAll(): Start[] {
    return existsSync(path) ? readFileSync(path, 'latin1').split('\n').flatMap(toStart) : []
  }

  function forgetOld(): void {
    const all = readAll().slice(-mostKept)
    const since = toInstant(clock.now() - keptMs)
    const kept = all.filter(({ at }, index) => at >= since || index >= all.length - leastKept)
    const text = kept.map(toLine).join('')
    savePrivateFile(path, text)
    rewriteAt = Math.max(smallBytes, 2 * text.length)
  }

  return {
    note(jobId) {
      const bytes = append(toLine({ at: toInstant(clock.now()), jobId }))
      if (bytes < rewriteAt) return
      rewriteAt = 2 * bytes
      try {
        forgetOld()
      } catch (error) {
        log.warn({ err: error }, 'the list of jobs that have begun could not be shortened')
      }
    },
    begun() {
      try {
        return readAll().map(({ jobId }) => jobId)
      } catch (error) {
        log.error({ err: error }, 'the list of jobs that have begun cannot be read')
        return []
      }
    },
  }
}

/**
 * Gives a database that was begun anew the jobs that are known to have begun, as ones that do not run here. Whoever asks for
 * one hears that.
 */
export function refuseBegun(store: Store, jobIds: readonly string[], now: number): void {
  const refusal = JSON.stringify({ reason: 'agent_lost_it' satisfies JobReason, error: begunBefore })
  for (const jobId of jobIds)
    store.run(
      `insert into jobs (id, kind, header, spec, config_version, state, refusal, accepted_at, ended_at)
       values (?, '', ?, '{}', 0, 'refused', ?, ?, ?) on conflict (id) do nothing`,
      ...[jobId, JSON.stringify({ jobId }), refusal, now, now],
    )
}

const begunBefore =
  'The job had begun before the records of this host were damaged. What became of it is not known here, and it does not run again.'

const toLine = ({ at, jobId }: Start) => `${at} ${jobId}\n`

const wholeLine =
  /^(?<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (?<jobId>[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/i

function toStart(line: string): Start | [] {
  const { at, jobId } = wholeLine.exec(line)?.groups ?? {}
  return at === undefined || jobId === undefined ? [] : { at, jobId }
}
