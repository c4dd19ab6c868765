// How a backup can be told to work, with the oldest restic that is supported and a current one.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempDisposableSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { eachRestic } from '@restic-manager/testkit/restic'
import { jobBench, type JobBench } from '../testing-jobs.ts'
import type { HookCall, JobContext } from './context.ts'
import { runJob } from './run.ts'

const SLOW = 120_000

function addFiles(folder: string, files: Record<string, string | Uint8Array>) {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
}

async function savedFiles(bench: JobBench): Promise<string[]> {
  const { stdout } = await bench.plain.run('ls', '--json', 'latest')
  const nodes = stdout.split('\n').map(line => JSON.parse(line) as { type?: string; path: string })
  return nodes
    .filter(({ type }) => type === 'file')
    .map(({ path }) => path.replace(`${bench.source}/`, ''))
    .toSorted()
}

await eachRestic(restic => {
  test.concurrent(
    'what is left out is left out, however odd its name is',
    async () => {
      using bench = jobBench(restic)
      bench.makeRepository()
      addFiles(bench.source, {
        'kept.txt': 'kept',
        'a.tmp': 'out',
        'UPPER.BAK': 'out',
        '# hash': 'out',
        $HOME: 'out',
        'price $5': 'out',
        ' spaced ': 'out',
        'large.bin': randomBytes(5_000),
        'cache/.nobackup': '',
        'cache/inside': 'out',
      })
      const outcome = await runJob('backup', bench.context, {
        paths: [bench.source],
        excludes: ['*.tmp', '# hash', '$HOME', 'price $5', ' spaced '],
        options: {
          iexcludes: ['*.bak'],
          excludeIfPresent: ['.nobackup'],
          excludeLargerThan: 4_000,
          oneFileSystem: true,
        },
      })
      expect(outcome).toMatchObject({ status: 'succeeded', warnings: [] })
      // The file that keeps a folder out is kept itself.
      expect(await savedFiles(bench)).toEqual(['cache/.nobackup', 'kept.txt'])
      expect(bench.starts[0]?.command).toContain(`--exclude '*.tmp' --exclude '# hash' --exclude '$HOME'`)
      expect(bench.starts[0]?.command).not.toContain('--exclude-file')
      expect(readdirSync(bench.context.folders.temp)).toEqual([])
    },
    SLOW,
  )

  test.concurrent(
    'a repository in the folder that is read is left out, however odd its name is',
    async () => {
      using above = mkdtempDisposableSync(join(tmpdir(), 'own-'))
      using bench = jobBench(restic, { access: { url: join(above.path, 're[p]o *?') } })
      bench.makeRepository()
      addFiles(above.path, { 'kept.txt': 'kept', 'rep o x': 'kept' })
      const outcome = await runJob('backup', bench.context, { paths: [above.path] })
      expect(outcome).toMatchObject({ status: 'succeeded', warnings: [] })
      const saved = await savedFiles(bench)
      expect(saved.map(path => path.replace(`${above.path}/`, ''))).toEqual(['kept.txt', 'rep o x'])
    },
    SLOW,
  )

  test.concurrent(
    'words that look like flags are patterns, tags and the name of the host, and run nothing',
    async () => {
      using bench = jobBench(restic)
      bench.makeRepository()
      const mark = join(bench.folder, 'somebody-was-here')
      const words = [`--password-command=touch ${mark}`, '--repo=/etc', '-rf', '--']
      addFiles(bench.source, { 'kept.txt': 'kept', '-rf': 'out', 'cache/--': '', 'cache/inside': 'out' })
      const context = { ...bench.context, hostname: words[0] ?? '' }
      const outcome = await runJob('backup', context, {
        ...{ paths: [bench.source], excludes: words, tags: words },
        options: { iexcludes: words, excludeIfPresent: [words[0] ?? '', '--'] },
      })
      expect(outcome).toMatchObject({ status: 'succeeded', warnings: [] })
      expect(await savedFiles(bench)).toEqual(['kept.txt'])
      const [snapshot] = await bench.plain.snapshots()
      expect(snapshot).toMatchObject({ hostname: words[0], tags: expect.arrayContaining(words) })
      expect(existsSync(mark)).toBe(false)
    },
    SLOW,
  )

  test.concurrent(
    'a thousand long patterns and paths are too much for no host',
    async () => {
      using bench = jobBench(restic)
      bench.makeRepository()
      addFiles(bench.source, { 'kept.txt': 'kept', 'last.out': 'out' })
      const excludes = Array.from({ length: 999 }, (_, at) => `${'x'.repeat(4_000)}${at}`)
      const outcome = await runJob('backup', bench.context, {
        paths: [bench.source],
        excludes: [...excludes, '*.out'],
      })
      expect(outcome.status).toBe('succeeded')
      expect(await savedFiles(bench)).toEqual(['kept.txt'])
    },
    SLOW,
  )

  test.concurrent(
    'limits and priorities are kept to, and what this restic cannot do is left out and said',
    async () => {
      using bench = jobBench(restic)
      bench.makeRepository()
      addFiles(bench.source, { file: 'content' })
      const outcome = await runJob('backup', bench.context, {
        paths: [bench.source],
        options: {
          ...{ compression: 'max', uploadKibps: 50_000, downloadKibps: 50_000, readConcurrency: 3 },
          ...{ nice: 12, ionice: 'idle' },
        },
      })
      const isOld = restic.version === '0.14.0'
      expect(outcome.status).toBe('succeeded')
      expect(outcome.warnings.map(({ code }) => code)).toEqual(isOld ? ['too_old'] : [])
      const command = String(bench.starts[0]?.command)
      expect(command).toMatch(/\/nice -n 12 \S+\/ionice -c3 restic -r /)
      for (const flag of ['--compression=max', '--limit-upload=50000', '--limit-download=50000'])
        expect(command).toContain(flag)
      expect(command.includes('--read-concurrency=3')).toBe(!isOld)
    },
    SLOW,
  )

  test.concurrent(
    'a backup runs between its hooks: the one after it hears how it went',
    async () => {
      using bench = jobBench(restic)
      bench.makeRepository()
      addFiles(bench.source, { file: 'content' })
      const { context, calls, fail } = withHooks(bench)
      const hooks = { paths: [bench.source], preHook: { name: 'before' }, postHook: { name: 'after' } }
      const good = await runJob('backup', context, hooks)
      expect(good).toMatchObject({ status: 'succeeded', warnings: [] })
      expect(calls.map(({ name }) => name)).toEqual(['pre-hook', 'post-hook'])
      expect(calls[0]?.environment).toEqual({
        RM_HOST_ID: context.hostId,
        RM_JOB_ID: context.jobId,
        RM_SCHEDULE_ID: '',
        RM_REPOSITORY_ID: context.repository.repositoryId,
      })
      expect(calls[1]?.environment).toMatchObject({
        ...{ RM_STATUS: 'succeeded', RM_REASON: '', RM_EXIT_CODE: '0', RM_SNAPSHOT_ID: good.snapshotId },
      })
      // The job begins with its first process, which is the hook's; restic's takes its place.
      expect([bench.starts.map(({ pid }) => pid), bench.respawns]).toEqual([[4_711], [expect.any(Number)]])

      fail.add('pre-hook').add('post-hook')
      const stopped = await runJob('backup', { ...context, jobId: newId() }, hooks)
      expect(stopped).toMatchObject({
        status: 'failed',
        reason: 'hook_failed',
        error: expect.stringContaining('The pre-hook failed'),
        warnings: [{ code: 'post_hook_failed' }],
      })
      expect(calls.at(-1)?.environment).toMatchObject({ RM_STATUS: 'failed', RM_REASON: 'hook_failed' })
      const goOn = { ...hooks, preHook: { name: 'before', onFailure: 'continue' as const } }
      expect(await runJob('backup', { ...context, jobId: newId() }, goOn)).toMatchObject({
        status: 'succeeded',
        warnings: [{ code: 'hook_failed' }, { code: 'post_hook_failed' }],
      })
      expect(await bench.plain.snapshots()).toHaveLength(2)
    },
    SLOW,
  )

  test.concurrent(
    'a repository that does not answer costs no host its first hook, but the last one hears of it',
    async () => {
      using bench = jobBench(restic)
      const { context, calls } = withHooks(bench)
      const hooks = { paths: [bench.source], preHook: { name: 'before' }, postHook: { name: 'after' } }
      expect(await runJob('backup', context, hooks)).toMatchObject({ reason: 'repository_missing' })
      expect(calls).toMatchObject([{ name: 'post-hook', environment: { RM_REASON: 'repository_missing' } }])
    },
    SLOW,
  )

  test.concurrent(
    'a job that is over its time ends as failed for that reason, and its lock is gone',
    async () => {
      using bench = jobBench(restic)
      bench.makeRepository()
      addFiles(bench.source, { file: randomBytes(1_000_000) })
      const overtime = new AbortController()
      const context = {
        ...bench.context,
        signal: overtime.signal,
        onStart: () => setTimeout(() => overtime.abort('timeout'), 500),
      }
      const spec = { paths: [bench.source], options: { uploadKibps: 300 } }
      expect(await runJob('backup', context, spec)).toMatchObject({
        ...{ status: 'failed', reason: 'timeout', error: expect.stringContaining('longer than its limit') },
      })
      expect(await bench.plain.locks()).toEqual([])
    },
    SLOW,
  )
})

/** Hooks that note how they were called; those in `fail` fail. */
function withHooks(bench: JobBench) {
  const calls: HookCall[] = []
  const fail = new Set<string>()
  const context: JobContext = {
    ...bench.context,
    runHook: async (_, call) => {
      calls.push(call)
      call.onSpawn?.(4_711)
      return fail.has(call.name) ? `The ${call.name} failed.` : undefined
    },
  }
  return { context, calls, fail }
}
