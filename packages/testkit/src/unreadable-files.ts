// Files that restic cannot read whoever runs it, so that an incomplete backup can be shown as root too.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The longest path a program may pass to the system, its closing zero byte included. */
const longestPath = process.platform === 'darwin' ? 1024 : 4096

/** A path that a backup can name and no Linux user, root included, can read from its beginning. */
export const unreadablePath = '/proc/1/mem'

/**
 * Makes two files below `dir` that a backup of `dir` by its absolute path cannot read: `forbidden.txt` of mode 000,
 * which only root can, and one whose path is longer than the system takes, which nobody can. Everything else below
 * `dir` can be restored below a folder of up to 150 bytes. Returns the path of what stops root.
 */
export function makeUnreadableFiles(dir: string): string {
  mkdirSync(dir, { recursive: true })
  const forbidden = join(dir, 'forbidden.txt')
  writeFileSync(forbidden, 'for the eyes of root\n')
  chmodSync(forbidden, 0o000)

  // Relative steps reach where no absolute path does: fill up with folders to just below the limit, then a long name.
  const room = longestPath - 160 - Buffer.byteLength(realpathSync(dir)) - '/deep'.length
  const step = 'far '.repeat(50).trim()
  const steps = Array.from({ length: Math.floor(room / (step.length + 1)) }, () => step)
  const rest = room - steps.length * (step.length + 1) - 1
  if (rest > 0) steps.push('r'.repeat(rest))
  const file = `${'out of reach '.repeat(15)}.txt`
  const script =
    'set -e; cd "$1"; mkdir -p deep; cd deep; file=$2; shift 2; for s; do mkdir -p "$s"; cd "$s"; done; echo x > "$file"'
  execFileSync('/bin/sh', ['-c', script, 'sh', realpathSync(dir), file, ...steps])
  return [realpathSync(dir), 'deep', ...steps, file].join('/')
}

/**
 * Writes a launcher named `restic` into `folder` that runs `program` without root's right to read everything, so that a
 * file of mode 000 is unreadable for root too (Linux). Returns its path. Run by an ordinary user it changes nothing.
 */
export function launchWithoutRootReading(folder: string, program: string): string {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, 'restic')
  const less = '-dac_override,-dac_read_search'
  const lessRight = `setpriv --bounding-set ${less} --inh-caps ${less} --`
  writeFileSync(
    path,
    `#!/bin/sh\n[ "$(id -u)" = 0 ] && exec ${lessRight} "${program}" "$@"\nexec "${program}" "$@"\n`,
  )
  chmodSync(path, 0o755)
  return path
}
