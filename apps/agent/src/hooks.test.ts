// Hooks: run as the host's owner allows, heard in the log, stopped in time, and told nothing they need not know.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from '@restic-manager/testkit/until'
import { argvOfProgram, complaintAboutPrograms, runHook, shellFor, type HookDesk } from './hooks.ts'
import type { HookCall } from './jobs/context.ts'
import type { HostPolicy } from './policy.ts'
import { processStart } from './processes.ts'

let folder: string
let lines: string[]
let desk: HookDesk
let cancel: AbortController
let call: HookCall
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hooks-'))
  for (const each of ['hooks', 'temp']) mkdirSync(join(folder, each), { mode: 0o700 })
  lines = []
  cancel = new AbortController()
  desk = {
    policy: policy('inline'),
    hookShell: undefined,
    folder: join(folder, 'temp'),
    secrets: ['s3cret word'],
    onLine: ({ stream, payload }) => lines.push(`${stream} ${payload}`),
  }
  call = { name: 'pre-hook', environment: { RM_JOB_ID: 'job-1' }, signal: cancel.signal }
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const policy = (hooks: HostPolicy['hooks']): HostPolicy => ({
  file: join(folder, 'policy.json'),
  found: true,
  hooks,
  hooksFolder: join(folder, 'hooks'),
  repositories: [],
  restore: { roots: [], inPlace: false },
})
function addHook(name: string, text: string) {
  const path = join(folder, 'hooks', name)
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
}

test('a hook knows its job and nothing of the agent, and what it says is in the log without secrets', async () => {
  const script = 'env | sort; echo "with s3cret word" >&2; printf "no newline"'
  expect(await runHook(desk, { script }, call)).toBeUndefined()
  const seen = lines
    .filter(line => line.startsWith('stdout'))
    .map(line => line.replace('stdout pre-hook: ', ''))
  const names = seen.filter(line => line.includes('=')).map(line => line.split('=')[0])
  expect(
    names.filter(name => name !== 'PWD' && name !== 'OLDPWD' && name !== '_' && name !== 'SHLVL'),
  ).toEqual(['HOME', 'LANG', 'PATH', 'RM_JOB_ID', 'TMPDIR'])
  expect(seen).toContain('RM_JOB_ID=job-1')
  expect(seen).toContain('no newline')
  expect(lines).toContain('stderr pre-hook: with ***')
  expect(readdirSync(desk.folder)).toEqual([])
})

test('a program of the folder runs by its name; how it failed is told with its last words', async () => {
  addHook('dump', 'echo dumping; echo "no such database" >&2; exit 3')
  expect(await runHook({ ...desk, policy: policy('listed') }, { name: 'dump' }, call)).toBe(
    'The pre-hook dump ended with exit code 3. It said: no such database',
  )
  expect(lines.toSorted()).toEqual(['stderr pre-hook: no such database', 'stdout pre-hook: dumping'])
})

test('a policy that does not allow a hook keeps the whole job from running', () => {
  addHook('dump', 'true')
  const script = { script: 'true' }
  expect(complaintAboutPrograms(policy('off'), {})).toBeUndefined()
  expect(complaintAboutPrograms(policy('off'), { preHook: { name: 'dump' } })).toMatch(/allows no hooks/)
  expect(complaintAboutPrograms(policy('listed'), { postHook: script })).toMatch(/only the programs/)
  expect(complaintAboutPrograms(policy('listed'), { preHook: { name: 'dump' } })).toBeUndefined()
  expect(complaintAboutPrograms(policy('listed'), { preHook: { name: 'gone' } })).toMatch(/cannot be run/)
  expect(
    complaintAboutPrograms(policy('inline'), { preHook: script, postHook: { name: 'dump' } }),
  ).toBeUndefined()
  const refused = { ...policy('off'), problem: 'policy.json is somebody else’s.' }
  expect(complaintAboutPrograms(refused, { preHook: script })).toContain('somebody else')
})

test('what the policy does not allow is not run, whoever asks', async () => {
  const mark = join(folder, 'ran')
  const off = { ...desk, policy: policy('off') }
  expect(await runHook(off, { script: `touch ${mark}` }, call)).toMatch(/allows no hooks/)
  expect(existsSync(mark)).toBe(false)
})

test('a program that can be trusted at one look and not at the next is not run', async () => {
  const mark = join(folder, 'ran')
  addHook('dump', `touch ${mark}`)
  let looks = 0
  const listed: HostPolicy = {
    ...policy('listed'),
    get hooksFolder() {
      looks += 1
      if (looks === 2) chmodSync(join(folder, 'hooks', 'dump'), 0o777)
      return join(folder, 'hooks')
    },
  }
  const told = await runHook({ ...desk, policy: listed }, { name: 'dump' }, call)
  expect(told).toMatch(/can be written by others/)
  expect(existsSync(mark)).toBe(false)
})

test('a hook whose beginning cannot be written down does not go on unwatched', async () => {
  let pid = 0
  const full = (spawned: number) => {
    pid = spawned
    throw new Error('the disk is full')
  }
  const running = runHook(desk, { script: 'sleep 600' }, { ...call, onSpawn: full })
  await expect(running).rejects.toThrow('the disk is full')
  await until(() => processStart(pid) === undefined)
})

test('a hook that is cancelled is stopped with everything it started', async () => {
  const mark = join(folder, 'started')
  const running = runHook(desk, { script: `sh -c 'touch ${mark}; sleep 600' & wait` }, call)
  await until(() => existsSync(mark))
  cancel.abort()
  expect(await running).toBe('The pre-hook was stopped.')
})

test('a hook that takes too long is stopped, and says so', async () => {
  const late = { ...call, atMostMs: 200 }
  expect(await runHook(desk, { script: 'sleep 600' }, late)).toMatch(
    /^The pre-hook took longer than .* was stopped\.$/,
  )
})

test('a hook that says no end of things is heard for a while, and ends well', async () => {
  expect(
    await runHook(desk, { script: 'yes "a line of many words" | head -c 5000000' }, call),
  ).toBeUndefined()
  expect(lines.join('').length).toBeLessThan(3_000_000)
  expect(lines.at(-1)).toContain('the rest is not kept')
})

test('a hook may leave something running: nobody waits for that', async () => {
  expect(await runHook(desk, { script: 'sleep 3 & echo left' }, call)).toBeUndefined()
  expect(lines).toEqual(['stdout pre-hook: left'])
})

test('a shell is used only by its absolute path', async () => {
  expect(await runHook({ ...desk, hookShell: 'sh' }, { script: 'true' }, call)).toContain('absolute path')
  expect(await runHook({ ...desk, hookShell: join(folder, 'absent') }, { script: 'true' }, call)).toContain(
    'could not be started',
  )
})

test('on Windows scripts are run by PowerShell, without profile and without questions', () => {
  const powershell = 'C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe'
  const flags = ['-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass', '-File']
  const script = 'C:\\ProgramData\\restic-manager\\hooks\\dump.ps1'
  expect(argvOfProgram(script, 'win32')).toEqual([powershell, ...flags, script])
  expect(argvOfProgram('C:\\hooks\\dump.exe', 'win32')).toEqual(['C:\\hooks\\dump.exe'])
  expect(argvOfProgram('/etc/restic-manager/hooks/dump.ps1', 'linux')).toEqual([
    '/etc/restic-manager/hooks/dump.ps1',
  ])

  const usual = shellFor(undefined, 'win32')
  expect([usual?.ending, usual?.argv('C:\\t\\hook.ps1')]).toEqual([
    '.ps1',
    [powershell, ...flags, 'C:\\t\\hook.ps1'],
  ])
  const core = 'C:\\Program Files\\PowerShell\\7\\pwsh.exe'
  expect(shellFor(core, 'win32')?.argv('x.ps1')).toEqual([core, ...flags, 'x.ps1'])
  const cmd = shellFor('C:\\Windows\\System32\\cmd.exe', 'win32')
  expect([cmd?.ending, cmd?.argv('x.cmd')]).toEqual([
    '.cmd',
    ['C:\\Windows\\System32\\cmd.exe', '/d', '/c', 'x.cmd'],
  ])
  expect(shellFor('powershell.exe', 'win32')).toBeUndefined()
})

test('elsewhere scripts are run by sh, or by the shell that is named', () => {
  expect(shellFor(undefined, 'linux')?.argv('/t/hook')).toEqual(['/bin/sh', '/t/hook'])
  expect(shellFor('/usr/bin/bash', 'darwin')?.argv('/t/hook')).toEqual(['/usr/bin/bash', '/t/hook'])
  expect(shellFor('bash', 'linux')).toBeUndefined()
})
