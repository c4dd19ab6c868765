// Whether a file can only have been put there by the owner of this machine, or by the user the agent runs as.
import { lstatSync, readlinkSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

const WRITABLE_BY_OTHERS = 0o022
const STICKY = 0o1000

/**
 * Why a file or folder could be somebody else's work, as a sentence; undefined when it can be trusted. Every folder and
 * link on the way to it counts: who may write there can put another file in its place. Throws when there is no such file.
 */
export function complaintAboutTrust(path: string): string | undefined {
  // Windows has no such bits: there the rights of the folder it lies in decide, and its owner sets them.
  if (process.platform === 'win32') return undefined
  return complaintOnTheWay(realpathSync(path), false) ?? complaintOnTheWay(resolve(path), false)
}

function complaintOnTheWay(path: string, leadsOn: boolean): string | undefined {
  for (let step = path; ; step = dirname(step)) {
    const about = complaintAbout(step, leadsOn || step !== path)
    if (about !== undefined || step === dirname(step)) return about
  }
}

function complaintAbout(path: string, isOnTheWay: boolean): string | undefined {
  const status = lstatSync(path)
  if (status.uid !== 0 && status.uid !== process.getuid?.())
    return `${path} belongs to user ${status.uid}. It must belong to root, or to the user the agent runs as.`
  if (status.isSymbolicLink())
    return complaintOnTheWay(resolve(realpathSync(dirname(path)), readlinkSync(path)), isOnTheWay)
  // In a sticky folder such as /tmp nobody can replace what is not theirs.
  const isSafe = (status.mode & WRITABLE_BY_OTHERS) === 0 || (isOnTheWay && (status.mode & STICKY) !== 0)
  return isSafe ? undefined : `${path} can be written by others than its owner. Take that right away.`
}
