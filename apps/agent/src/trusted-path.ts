// Whether a file can only have been put there by the owner of this machine, or by the user the agent runs as.
import { realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

const WRITABLE_BY_OTHERS = 0o022
const STICKY = 0o1000

/**
 * Why a file or folder could be somebody else's work, as a sentence; undefined when it can be trusted. Every folder on
 * the way to it counts: who may write there can put another file in its place. Throws when there is no such file.
 */
export function complaintAboutTrust(path: string): string | undefined {
  // Windows has no such bits: there the rights of the folder it lies in decide, and its owner sets them.
  if (process.platform === 'win32') return undefined
  const target = realpathSync(path)
  const complaint = complaintAbout(target, false)
  if (complaint !== undefined) return complaint
  for (let folder = dirname(target); ; folder = dirname(folder)) {
    const about = complaintAbout(folder, true)
    if (about !== undefined) return about
    if (folder === dirname(folder)) return undefined
  }
}

function complaintAbout(path: string, isOnTheWay: boolean): string | undefined {
  const { uid, mode } = statSync(path)
  if (uid !== 0 && uid !== process.getuid?.())
    return `${path} belongs to user ${uid}. It must belong to root, or to the user the agent runs as.`
  // In a sticky folder such as /tmp nobody can replace what is not theirs.
  const isSafe = (mode & WRITABLE_BY_OTHERS) === 0 || (isOnTheWay && (mode & STICKY) !== 0)
  return isSafe ? undefined : `${path} can be written by others than its owner. Take that right away.`
}
