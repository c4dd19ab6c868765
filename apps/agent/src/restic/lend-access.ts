// Access to a repository for one run of restic: its environment, and the file that some stores want, in memory only.
import { accessSync, constants, lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { accessEnvironment, keyFileText, type Access, type Folders } from './environment.ts'

/** A file system that is memory and nothing else, on Linux. */
const MEMORY = '/dev/shm'
const folderName = /^restic-agent-(\d+)-\w+$/

/** What this process has lent: an agent in a container may have the process id of the one before. */
const inUse = new Set<string>()

export type LentAccess = Disposable & { env: Record<string, string> }

/** Puts the access where restic takes it. Disposing of it removes what had to be written, which no disk ever saw on Linux. */
export function lendAccess(access: Access, version: string, folders: Folders): LentAccess {
  const text = keyFileText(access)
  if (text === undefined) return { env: accessEnvironment(access, version), [Symbol.dispose]() {} }
  sweepLentAccess(folders)
  const folder = mkdtempSync(join(homeOf(folders), `restic-agent-${process.pid}-`))
  inUse.add(folder)
  const file = join(folder, 'key.json')
  writeFileSync(file, text, { mode: 0o600 })
  return {
    env: accessEnvironment(access, version, file),
    [Symbol.dispose]() {
      inUse.delete(folder)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Removes what agents that were killed left behind. Only our own folders: in others somebody could play with links. */
export function sweepLentAccess(folders: Folders): void {
  const home = homeOf(folders)
  for (const name of readdirSync(home)) {
    const pid = folderName.exec(name)?.[1]
    const folder = join(home, name)
    if (pid === undefined || inUse.has(folder)) continue
    if (Number(pid) !== process.pid && isAlive(Number(pid))) continue
    if (lstatSync(folder, { throwIfNoEntry: false })?.uid === process.getuid?.())
      rmSync(folder, { recursive: true, force: true })
  }
}

const homeOf = ({ temp }: Folders) => (isWritable(MEMORY) ? MEMORY : temp)

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return process.platform === 'linux'
  } catch {
    return false
  }
}
