// What real restics printed and how they ended, captured once, by version and case.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export type CapturedVersion = '0.14.0' | '0.18.0'

export type Capture = {
  name: string
  /** As typed, with the environment that mattered in the lines before. */
  command: string
  stdout: string
  stderr: string
  exitCode: number | null
  signal: NodeJS.Signals | null
}

export type Moment =
  | { t: number; fd: 'stdout' | 'stderr'; data: string }
  | { t: number; exit: number | null; signal: NodeJS.Signals | null }

const folder = join(import.meta.dirname, '..', 'captures')

/** Names of the cases captured with a version. */
export function captureNames(version: CapturedVersion): string[] {
  return readdirSync(join(folder, version)).toSorted()
}

/**
 * One captured run. Long streams were cut to their first and last 20 lines, with a `... [N lines cut] ...` line
 * between that restic did not print.
 */
export function readCapture(version: CapturedVersion, name: string): Capture {
  const read = (file: string) => readFileSync(join(folder, version, name, file), 'utf8')
  const ending = read('exit').trim()
  const [, signal] = /^signal (SIG\w+)$/.exec(ending) ?? []
  return {
    name,
    command: read('cmd'),
    stdout: read('stdout'),
    stderr: read('stderr'),
    exitCode: signal === undefined ? Number(ending) : null,
    signal: (signal ?? null) as NodeJS.Signals | null,
  }
}

/** The moments of a run captured with times in seconds; the last one is its ending. Only the `tl-` cases have one. */
export function readTimeline(version: CapturedVersion, name: string): Moment[] {
  const lines = readFileSync(join(folder, version, name, 'timeline.ndjson'), 'utf8')
    .trim()
    .split('\n')
  return lines.map(line => JSON.parse(line) as Moment)
}
