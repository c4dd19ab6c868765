// A repository as plain restic sees it: what a test compares the product's work with.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { lightenRepository } from './light-repository.ts'

export type PlainSnapshot = {
  id: string
  short_id: string
  time: string
  hostname: string
  paths: string[]
  tags?: string[]
}

export type PlainRepository = {
  readonly url: string
  readonly password: string
  /** Runs restic on the repository; exit code and output as they are. */
  run(...args: string[]): Promise<{ exitCode: number | undefined; stdout: string; stderr: string }>
  /** Makes the repository and returns its id. In a folder of this machine it is a light one. */
  init(): Promise<string>
  id(): Promise<string>
  /** Backs paths up and returns the snapshot. Unreadable files are no failure. */
  backup(paths: string[], ...flags: string[]): Promise<PlainSnapshot>
  /** All snapshots, oldest first. */
  snapshots(...flags: string[]): Promise<PlainSnapshot[]>
  /** Restores a snapshot (or `latest`) below the folder `to`. */
  restore(snapshot: string, to: string): Promise<void>
  /** Ids of the locks in it. */
  locks(): Promise<string[]>
  /** Reads all data back and rejects when anything is damaged. */
  check(): Promise<void>
}

/**
 * Speaks to a repository with restic at `restic`, without a cache. `url` is a folder or anything restic takes as a
 * repository; `env` holds what the backend needs. Everything but `run` rejects with restic's own words.
 */
export function resticRepository({
  restic,
  url,
  password,
  env = {},
}: {
  restic: string
  url: string
  password: string
  env?: Record<string, string>
}): PlainRepository {
  const run = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await execa(restic, ['--no-cache', ...args], {
      env: { RESTIC_REPOSITORY: url, RESTIC_PASSWORD: password, PATH: '/usr/bin:/bin', ...env },
      extendEnv: false,
      stdin: 'ignore',
      reject: false,
    })
    return { exitCode, stdout, stderr }
  }
  const must = async (args: string[], good: number[] = [0]) => {
    const { exitCode, stdout, stderr } = await run(...args)
    if (exitCode === undefined || !good.includes(exitCode)) {
      throw new Error(`restic ${args.join(' ')} ended with ${exitCode}: ${stderr || stdout}`)
    }
    return stdout
  }
  const repository: PlainRepository = {
    url,
    password,
    run,
    async init() {
      await must(['init'])
      if (existsSync(join(url, 'keys'))) lightenRepository(url, password)
      return repository.id()
    },
    async id() {
      return (JSON.parse(await must(['cat', 'config', '--no-lock'])) as { id: string }).id
    },
    async backup(paths, ...flags) {
      const lines = (await must(['backup', '--json', ...flags, '--', ...paths], [0, 3])).split('\n')
      const summary = JSON.parse(lines.at(-1) ?? '') as { snapshot_id: string }
      const snapshot = (await repository.snapshots()).find(({ id }) => id.startsWith(summary.snapshot_id))
      if (snapshot === undefined)
        throw new Error(`restic does not list the snapshot ${summary.snapshot_id} it made`)
      return snapshot
    },
    async snapshots(...flags) {
      return JSON.parse(await must(['snapshots', '--json', '--no-lock', ...flags])) as PlainSnapshot[]
    },
    async restore(snapshot, to) {
      await must(['restore', '--no-lock', snapshot, '--target', to])
    },
    async locks() {
      return (await must(['list', 'locks', '--no-lock']))
        .split('\n')
        .filter(line => /^[0-9a-f]{64}$/.test(line))
    },
    async check() {
      await must(['check', '--no-lock', '--read-data'])
    },
  }
  return repository
}
