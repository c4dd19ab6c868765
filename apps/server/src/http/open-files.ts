// Whether this process may open as many files as its fleet needs: each connected host is one, and for a moment two.
import { readFile } from 'node:fs/promises'
import type { Log } from '@restic-manager/runtime/log'

/** Files beside the sockets of hosts: pages, the database, what is served. */
const OWN_FILES = 500

/** The soft limit as Linux tells it; undefined where there is none, or where nobody says. */
export function openFilesIn(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1]
  return soft === undefined ? undefined : Number(soft)
}

/** The sentence for a limit that is less than twice the fleet; undefined when it is enough. */
export function complaintAboutOpenFiles(limit: number, hosts: number): string | undefined {
  const needed = 2 * hosts + OWN_FILES
  return limit >= needed
    ? undefined
    : `this process may open ${limit} files, and ${hosts} hosts want ${needed}: raise the limit (LimitNOFILE, ulimit -n), or run more servers`
}

/** Says so once, at the start. On systems without /proc nothing is known, and nothing said. */
export async function warnOfOpenFiles(
  log: Log,
  hosts: number,
  limitsFile = '/proc/self/limits',
): Promise<void> {
  const limit = openFilesIn(await readFile(limitsFile, 'utf8').catch(() => ''))
  const complaint = limit === undefined ? undefined : complaintAboutOpenFiles(limit, hosts)
  if (complaint !== undefined) log.warn(complaint)
}
