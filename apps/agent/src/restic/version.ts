// Which restic this is, and what it can do.
import { execFile } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'

export type Restic = { path: string; version: string }

/** How long a restic may take to say its version. */
const VERSION_DEADLINE_MS = 10_000

/** Asks a program which restic it is. Null when it cannot be run or is no restic. */
export async function probeRestic(path: string): Promise<Restic | null> {
  const stdout = await new Promise<string>(resolve => {
    const options = { env: {}, timeout: VERSION_DEADLINE_MS, maxBuffer: 10_000 }
    execFile(path, ['version'], options, (_error, said) => resolve(said)).stdin?.end()
  })
  const [, version] = /^restic (\d+\.\d+\.\d+[\w.+-]{0,60})/m.exec(stdout) ?? []
  return version === undefined ? null : { path, version }
}

/** Finds restic: the wished-for path, or the first one on a search path. Null when there is none that runs. */
export async function findRestic(wished: string | undefined, searchPath: string): Promise<Restic | null> {
  if (wished !== undefined && isAbsolute(wished)) return isProgram(wished) ? probeRestic(wished) : null
  const name = wished ?? (process.platform === 'win32' ? 'restic.exe' : 'restic')
  for (const folder of searchPath.split(delimiter)) {
    const path = join(folder, name)
    if (!isAbsolute(folder) || !isProgram(path)) continue
    const found = await probeRestic(path)
    if (found !== null) return found
  }
  return null
}

/** What a version of restic can do, where we do something else without it. */
export type Capabilities = {
  /** `--retry-lock`, and `-o sftp.args`. */
  retryLock: boolean
  sftpArgs: boolean
  /** `RESTIC_REST_USERNAME` and `RESTIC_REST_PASSWORD`. */
  restCredentials: boolean
  /** `--read-concurrency`. */
  readConcurrency: boolean
  /** `init --json`, and full snapshot ids in summaries. */
  fullIds: boolean
}

/** The table of what came when. */
export function capabilitiesOf(version: string): Capabilities {
  const since = (major: number, minor: number, patch = 0) => {
    const [a = 0, b = 0, c = 0] = version.split(/[.+-]/, 3).map(Number)
    return a !== major ? a > major : b !== minor ? b > minor : c >= patch
  }
  return {
    retryLock: since(0, 16),
    sftpArgs: since(0, 16),
    restCredentials: since(0, 16, 1),
    readConcurrency: since(0, 15),
    fullIds: since(0, 15),
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
