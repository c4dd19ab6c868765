// What tests may rely on when a fake restic stands in for the real one.
import { execa } from 'execa'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { fakeRestic } from './fake-restic.ts'
import type { FakeScript } from './fake-restic-script.ts'
import { until } from './until.ts'

function fake(script: FakeScript) {
  const folder = mkdtempSync(join(tmpdir(), 'fake-restic-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const restic = fakeRestic(folder, script)
  const run = (...args: string[]) =>
    execa(restic.path, args, {
      env: { RESTIC_REPOSITORY: '/repo', RESTIC_PASSWORD: 'secret' },
      extendEnv: false,
      stdin: 'ignore',
      reject: false,
      maxBuffer: 1e9,
    })
  return { folder, restic, run }
}

const messages = (text: string) => text.split('\n').map(line => JSON.parse(line) as Record<string, unknown>)

test('a backup makes a snapshot that is listed with its tags, host and paths', async () => {
  const { folder, run } = fake({})
  const list = join(folder, 'list')
  writeFileSync(list, '/srv/with space\0/etc\0')
  const tags = ['--tag', 'rm-host=h1', '--tag', 'rm-job=j1']
  const backup = await run('backup', '--json', '--host', 'web', ...tags, '--files-from-raw', list)
  expect(backup.exitCode).toBe(0)
  const [summary] = messages(backup.stdout)
  expect(summary).toMatchObject({
    message_type: 'summary',
    snapshot_id: expect.stringMatching(/^[0-9a-f]{64}$/),
  })

  const snapshots = JSON.parse((await run('snapshots', '--json', '--tag', 'rm-host=h1,rm-job=j1')).stdout)
  expect(snapshots).toMatchObject([
    {
      id: summary?.snapshot_id,
      hostname: 'web',
      paths: ['/srv/with space', '/etc'],
      tags: ['rm-host=h1', 'rm-job=j1'],
    },
  ])
  expect((await run('snapshots', '--json', '--tag', 'rm-host=h2')).stdout).toBe('[]')
})

test('the ledger holds argv, environment and ending of every run', async () => {
  const { restic, run } = fake({ runs: { check: { steps: [{ exit: 1 }] } } })
  await run('check', '--read-data')
  expect(restic.runs('check')).toMatchObject([
    {
      argv: ['check', '--read-data'],
      env: { RESTIC_REPOSITORY: '/repo', RESTIC_PASSWORD: 'secret' },
      repository: '/repo',
      pid: expect.any(Number),
      exitCode: 1,
      killedBy: null,
      signals: [],
    },
  ])
  expect(Object.keys(restic.runs()[0]?.env ?? {}).toSorted()).toEqual([
    'RESTIC_PASSWORD',
    'RESTIC_REPOSITORY',
  ])
})

test('old and new versions each speak in their own way', async () => {
  const script = { initialised: false, password: 'other', repositoryId: 'ab'.repeat(32) }
  const { restic, run } = fake({ ...script, version: '0.18.0' })
  expect(JSON.parse((await run('version', '--json')).stdout)).toMatchObject({ version: '0.18.0' })
  expect(await run('cat', 'config')).toMatchObject({ exitCode: 10 })
  expect(JSON.parse((await run('init', '--json')).stdout)).toMatchObject({ id: script.repositoryId })
  expect(JSON.parse((await run('cat', 'config')).stderr)).toMatchObject({
    message_type: 'exit_error',
    code: 12,
  })

  restic.script({ version: '0.14.0', password: 'other' })
  expect((await run('version', '--json')).stdout).toMatch(/^restic 0\.14\.0 compiled with go/)
  expect(await run('cat', 'config')).toMatchObject({
    exitCode: 1,
    stderr: 'Fatal: wrong password or no key found',
  })
  expect(await run('init')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('config file already exists'),
  })
})

test('a run stands at its gate until the test opens it', async () => {
  const { restic, run } = fake({
    runs: {
      backup: {
        steps: [{ print: { message_type: 'status' } }, { wait: 'half' }, { summary: { files_new: 7 } }],
      },
    },
  })
  const backup = run('backup', '--json', '/srv')
  const standing = await restic.reached('half')
  expect(standing.endedAt).toBeUndefined()
  expect(restic.snapshots()).toEqual([])
  const [lock] = (await run('list', 'locks')).stdout.split('\n')
  expect(JSON.parse((await run('cat', 'lock', lock ?? '')).stdout)).toMatchObject({ pid: standing.pid })

  restic.open('half')
  expect(messages((await backup).stdout)).toMatchObject([{ message_type: 'status' }, { files_new: 7 }])
  expect(restic.snapshots()).toHaveLength(1)
  expect((await run('list', 'locks')).stdout).toBe('')
})

test.each([
  ['0.14.0', 'SIGINT', { exitCode: 130 }],
  ['0.14.0', 'SIGTERM', { signal: 'SIGTERM' }],
  ['0.18.0', 'SIGINT', { exitCode: 1 }],
  ['0.18.0', 'SIGTERM', { exitCode: 1 }],
] as const)('a backup of %s that gets %s ends as the real one does', async (version, signal, ending) => {
  const { restic, run } = fake({ version, runs: { backup: { steps: [{ wait: 'never' }] } } })
  const backup = run('backup', '--json', '/srv')
  process.kill((await restic.reached('never')).pid, signal)
  expect(await backup).toMatchObject(ending)
  expect(restic.runs('backup')).toMatchObject([{ signals: [signal] }])
  expect(restic.snapshots()).toEqual([])
  expect((await run('list', 'locks')).stdout === '').toBe('exitCode' in ending)
})

test('a script decides what an interrupt does, even nothing', async () => {
  const { restic, run } = fake({
    runs: {
      backup: [
        { steps: [{ wait: 'open' }, { summary: {} }], interrupted: 'ignored' },
        { steps: [{ wait: 'never' }], interrupted: [{ wait: 'cleaned' }, { exit: 7 }] },
      ],
    },
  })
  const deaf = run('backup', '/srv')
  process.kill((await restic.reached('open')).pid, 'SIGINT')
  await until(() => restic.runs('backup')[0]?.signals.length)
  restic.open('open')
  expect(await deaf).toMatchObject({ exitCode: 0 })

  const slow = run('backup', '/srv')
  process.kill((await restic.reached('never')).pid, 'SIGINT')
  await restic.reached('cleaned')
  restic.open('cleaned')
  expect(await slow).toMatchObject({ exitCode: 7 })
})

test('a crash and a kill leave a lock that unlock removes', async () => {
  const { restic, run } = fake({
    runs: { backup: [{ steps: [{ crash: 'SIGKILL' }] }, { steps: [{ wait: 'never' }] }] },
  })
  expect(await run('backup', '/srv')).toMatchObject({ signal: 'SIGKILL' })
  const killed = run('backup', '/srv')
  process.kill((await restic.reached('never')).pid, 'SIGKILL')
  await killed
  expect((await run('list', 'locks')).stdout.split('\n')).toHaveLength(2)
  expect((await run('unlock')).stdout).toBe('successfully removed 2 locks')
  expect((await run('list', 'locks')).stdout).toBe('')
})

test('a captured timeline is replayed to its ending, with a snapshot of its own', async () => {
  for (const version of ['0.14.0', '0.18.0']) {
    const { restic, run } = fake({ version, runs: { backup: { steps: [{ replay: 'tl-backup-ok' }] } } })
    const backup = await run('backup', '--json', '/srv')
    expect(backup.exitCode).toBe(3)
    expect(backup.stderr).toContain('/lab/src/bad/unreadable.txt')
    expect(messages(backup.stdout).at(-1)).toMatchObject({ data_added: expect.any(Number), files_new: 7 })
    const [snapshot] = restic.snapshots()
    expect(snapshot?.id).toMatch(new RegExp(`^${String(messages(backup.stdout).at(-1)?.snapshot_id)}`))
  }
})

test('a replayed kill dies by the signal', async () => {
  const { run } = fake({ runs: { backup: { steps: [{ replay: 'tl-backup-killed' }] } } })
  expect(await run('backup', '--json', '/srv')).toMatchObject({ signal: 'SIGKILL' })
})

test('floods and long lines come whole', async () => {
  const { run } = fake({
    runs: {
      backup: {
        steps: [
          { flood: { lines: 10_000, text: 'x'.repeat(100) } },
          { flood: { lines: 5, linesPerSecond: 1000, to: 'stderr' } },
          { longLine: { bytes: 3_000_001 } },
        ],
      },
    },
  })
  const { stdout, stderr, exitCode } = await run('backup', '/srv')
  const lines = stdout.split('\n')
  expect(exitCode).toBe(0)
  expect(lines).toHaveLength(10_001)
  expect(lines[9999]).toBe(`9999 ${'x'.repeat(100)}`)
  expect(lines[10_000]).toHaveLength(3_000_000)
  expect(stderr).toBe('0 \n1 \n2 \n3 \n4 ')
})

test('a forget lets go of what no rule keeps, says why the rest stays, and a dry run changes nothing', async () => {
  const { restic, run } = fake({})
  const tags = ['--tag', 'rm-host=h1', '--tag', 'rm-schedule=s1']
  for (let n = 0; n < 3; n += 1) await run('backup', '--json', '--host', 'web', ...tags, '/srv')
  await run('backup', '--json', '--host', 'web', '--tag', 'rm-host=h1', '/etc')
  const policy = ['--keep-last=1', '--group-by', 'host', '--tag', 'rm-host=h1,rm-schedule=s1']
  const preview = JSON.parse((await run('forget', '--json', '--dry-run', '--no-lock', ...policy)).stdout)
  expect(preview).toMatchObject([
    { tags: null, host: 'web', paths: null, reasons: [{ matches: ['last snapshot'] }] },
  ])
  expect([preview[0].keep.length, preview[0].remove.length]).toEqual([1, 2])
  expect(restic.kept()).toHaveLength(4)
  expect(JSON.parse((await run('forget', '--json', ...policy)).stdout)).toEqual(preview)
  expect(restic.kept()).toHaveLength(2)
  expect(JSON.parse((await run('snapshots', '--json')).stdout)).toEqual(restic.kept())
  expect(await run('forget', '--json', '--keep-last=1', '--tag', 'nobody')).toMatchObject({
    exitCode: 0,
    stdout: '',
  })
  expect(await run('forget', '--json', '--keep-tag=nobody')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('refusing to delete last snapshot'),
  })
})

test('a prune and a check are in the ledger, with what was read', async () => {
  const { restic, run } = fake({})
  await run('backup', '/srv')
  expect((await run('prune')).stdout).toContain('total prune:')
  expect((await run('check', '--read-data-subset=2/5')).stdout).toMatch(/no errors were found$/)
  expect(JSON.parse((await run('check', '--json')).stdout)).toMatchObject({ num_errors: 0 })
  expect(restic.ledger().filter(({ event }) => event === 'pruned' || event === 'checked')).toMatchObject([
    { event: 'pruned' },
    { event: 'checked', subset: '2/5' },
    { event: 'checked' },
  ])
})

test.each(['0.14.0', '0.18.0'])(
  '%s lets nobody beside a prune, nor a prune beside a backup',
  async version => {
    const exitCode = version === '0.14.0' ? 1 : 11
    const { restic, run } = fake({
      version,
      runs: {
        backup: { steps: [{ wait: 'backup' }, { summary: {} }] },
        prune: { steps: [{ wait: 'prune' }] },
      },
    })
    const backup = run('backup', '/srv')
    await restic.reached('backup')
    expect(await run('prune')).toMatchObject({
      exitCode,
      stderr: expect.stringContaining('already locked by PID'),
    })
    restic.open('backup')
    await backup
    const prune = run('prune')
    await restic.reached('prune')
    expect(await run('backup', '/srv')).toMatchObject({
      exitCode,
      stderr: expect.stringContaining('already locked exclusively by PID'),
    })
    const patient = run('backup', '--retry-lock', '1m', '/srv')
    await until(() => restic.runs('backup').length === 3)
    expect(restic.runs('backup').at(-1)?.lock).toBeUndefined()
    restic.open('prune')
    expect([await prune, await patient]).toMatchObject([{ exitCode: 0 }, { exitCode: 0 }])
  },
)
