// For tests of jobs: a folder of its own, a context for it, and a record of everything the job said.
import { newId } from '@restic-manager/contract/ids'
import type { Progress } from '@restic-manager/contract/job'
import type { LogStream } from '@restic-manager/contract/log'
import type { RepositoryAccess } from '@restic-manager/contract/repository'
import { timing, type Timing } from '@restic-manager/contract/timing'
import { makeLightRepository } from '@restic-manager/testkit/light-repository'
import { resticRepository, type PlainRepository } from '@restic-manager/testkit/restic-repository'
import { until } from '@restic-manager/testkit/until'
import { execa } from 'execa'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JobContext, ResticStart } from './jobs/context.ts'
import { accessEnvironment, baseEnvironment } from './restic/environment.ts'
import type { Restic } from './restic/version.ts'

export type JobBench = {
  folder: string
  source: string
  context: JobContext
  cancel: AbortController
  starts: ResticStart[]
  respawns: number[]
  lines: { stream: LogStream; payload: string }[]
  progress: Progress[]
  /** The same repository by plain restic. */
  plain: PlainRepository
  /** Makes the repository, at its own address unless a folder is named, and returns its id. */
  makeRepository(folder?: string): string
  /** Everything the job said in one text. */
  said(): string
  [Symbol.dispose](): void
}

/** A bench with a new repository address. The repository itself is made when a test says so. */
export function jobBench(
  restic: Restic,
  over: { access?: Partial<RepositoryAccess>; timing?: Partial<Timing>; programs?: string | undefined } = {},
): JobBench {
  const folder = mkdtempSync(join(tmpdir(), 'job-'))
  const source = join(folder, 'source')
  const folders = { cache: join(folder, 'cache'), temp: join(folder, 'temp'), programs: over.programs }
  for (const each of [source, folders.cache, folders.temp]) mkdirSync(each, { mode: 0o700 })
  const repository: RepositoryAccess = {
    repositoryId: newId(),
    url: join(folder, 'repository'),
    password: 'canary-p%ss "word"',
    mayDelete: true,
    ...over.access,
  }
  const cancel = new AbortController()
  const bench: JobBench = {
    folder,
    source,
    cancel,
    starts: [],
    respawns: [],
    lines: [],
    progress: [],
    context: {
      hostId: newId(),
      jobId: newId(),
      hostname: 'bench-host',
      repository,
      isElevated: false,
      restic,
      folders,
      signal: cancel.signal,
      timing: { ...timing, ...over.timing },
      runHook: async () => 'This bench runs no hooks.',
      onStart: start => bench.starts.push(start),
      onRespawn: pid => bench.respawns.push(pid),
      onLine: line => bench.lines.push(line),
      onProgress: progress => bench.progress.push(progress),
    },
    plain: resticRepository({
      restic: restic.path,
      url: repository.url,
      password: repository.password,
      env: { PATH: baseEnvironment(folders).PATH ?? '', ...accessEnvironment(repository, restic.version) },
    }),
    makeRepository: (at = repository.url) => makeLightRepository(at, repository.password),
    said: () => JSON.stringify([bench.starts, bench.lines, bench.progress]),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
  return bench
}

/** A restic that holds an exclusive lock until it is killed: it reads everything back, one kibibyte a second. */
export async function holdExclusiveLock(bench: JobBench) {
  const { path } = bench.context.restic
  const child = execa(path, ['--no-cache', '--limit-download', '1', 'check', '--read-data'], {
    env: { RESTIC_REPOSITORY: bench.plain.url, RESTIC_PASSWORD: bench.plain.password, HOME: bench.folder },
    extendEnv: false,
    stdio: 'ignore',
    reject: false,
  })
  await until(
    () => bench.plain.locks(),
    locks => locks.length === 1,
    { what: 'a lock' },
  )
  return {
    pid: child.pid as number,
    async release({ unlock }: { unlock: boolean }) {
      child.kill('SIGKILL')
      await child
      if (unlock) await bench.plain.run('unlock')
    },
  }
}
