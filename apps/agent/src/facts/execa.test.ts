// What execa and the system do with a child process, as running restic relies on it.
import { fakeRestic } from '@restic-manager/testkit/fake-restic'
import { is, until } from '@restic-manager/testkit/until'
import { execa } from 'execa'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const onLinux = process.platform === 'linux'
const plain = { buffer: false, reject: false, cleanup: false, stdin: 'ignore' } as const

function folder() {
  const dir = mkdtempSync(join(tmpdir(), 'execa-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return dir
}

/** Runs Node code that may import execa and gets `argument` as process.argv[1]. */
function program(code: string, argument = '') {
  return execa(process.execPath, ['--input-type=module', '--eval', code, argument], {
    cwd: import.meta.dirname,
    reject: false,
  })
}

/** State letter, parent and process group of a process; undefined when it has gone. */
function statusOf(pid: number) {
  try {
    const [state, parent, group] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    return { state, parent: Number(parent), group: Number(group) }
  } catch {
    return undefined
  }
}

const isGone = (pid: number) => {
  const status = statusOf(pid)
  return status === undefined || status.state === 'Z'
}

/** Prints that many bytes, without a newline. */
const printing = (bytes: number) => ['-c', `head -c ${bytes} /dev/zero | tr '\\0' x`]

test('with buffering, the default, a child is killed at 100 million characters', async () => {
  const result = await execa('sh', printing(100_000_001), { reject: false })
  expect(result).toMatchObject({ failed: true, isMaxBuffer: true })
  expect(result.stdout).toHaveLength(100_000_000)
})

test('without buffering the same output passes through', async () => {
  const child = execa('sh', printing(100_000_001), plain)
  let bytes = 0
  for await (const chunk of child.stdout) bytes += chunk.length
  expect(await child).toMatchObject({ exitCode: 0, isMaxBuffer: false })
  expect(bytes).toBe(100_000_001)
})

test('without buffering, output that nobody asked for in the first moment is thrown away', async () => {
  const child = execa('echo', ['lost'], plain)
  await until(() => child.stdout.readableEnded)
  let text = ''
  child.stdout.on('data', chunk => (text += chunk))
  expect(await child).toMatchObject({ exitCode: 0 })
  expect(text).toBe('')
})

test.runIf(onLinux)('a child whose reader stops reading stands still until it goes on', async () => {
  const child = execa('head', ['-c', '10000000', '/dev/zero'], plain)
  let bytes = 0
  child.stdout.on('data', chunk => (bytes += chunk.length))
  child.stdout.pause()
  await until(() => statusOf(child.pid ?? 0)?.state, is('S'))
  expect(bytes).toBe(0)
  child.stdout.resume()
  expect(await child).toMatchObject({ exitCode: 0 })
  expect(bytes).toBe(10_000_000)
})

test('with reject false every ending is data: exit code, signal, a program that is not there', async () => {
  expect(await execa('sh', ['-c', 'exit 3'], plain)).toMatchObject({ exitCode: 3, failed: true })
  const killed = await execa('sh', ['-c', 'kill -9 $$'], plain)
  expect(killed).toMatchObject({ signal: 'SIGKILL', isTerminated: true })
  expect(killed.exitCode).toBeUndefined()
  const missing = await execa('/nowhere/restic', [], plain)
  expect(missing).toMatchObject({ code: 'ENOENT', failed: true })
  expect(missing.exitCode).toBeUndefined()
})

test('a working directory that is not there is an ending too', async () => {
  expect(await execa('true', [], { ...plain, cwd: '/nowhere' })).toMatchObject({
    code: 'ENOENT',
    failed: true,
  })
})

test('with extendEnv false a child gets the given environment and nothing else', async () => {
  const { stdout } = await execa('/usr/bin/env', [], { extendEnv: false, env: { ONLY: 'this' } })
  expect(stdout).toBe('ONLY=this')
})

test('a program is looked for on the PATH of the given environment, before that of the parent', async () => {
  const dir = folder()
  writeFileSync(join(dir, 'restic'), '#!/bin/sh\necho found')
  chmodSync(join(dir, 'restic'), 0o755)
  const { stdout } = await execa('restic', [], { extendEnv: false, env: { PATH: dir } })
  expect(stdout).toBe('found')
})

test('with stdin ignored a child that reads is at the end of its input at once', async () => {
  expect(await execa('cat', [], { stdin: 'ignore' })).toMatchObject({ exitCode: 0, stdout: '' })
})

test.runIf(onLinux)(
  'a detached child leads its own process group, another shares the one of its parent',
  async () => {
    const groupOf = async (detached: boolean) => {
      const child = execa('cat', { ...plain, stdin: 'pipe', detached })
      const { pid = 0 } = child
      const group = statusOf(pid)?.group
      child.stdin.end()
      child.stdout.resume()
      await child
      return group === pid
    }
    expect(await groupOf(true)).toBe(true)
    expect(await groupOf(false)).toBe(false)
  },
)

test.runIf(onLinux)('a child outlives its parent only with cleanup false', async () => {
  const spawning = (options: string) =>
    program(`import { execa } from 'execa'
      const child = execa('sleep', ['600'], { stdio: 'ignore', ${options} })
      child.catch(() => {})
      console.log(child.pid)
      setImmediate(() => process.exit())`)
  const [cleaned, left] = await Promise.all([spawning(''), spawning('cleanup: false')])
  await until(() => isGone(Number(cleaned.stdout)))
  expect(isGone(Number(left.stdout))).toBe(false)
  process.kill(Number(left.stdout), 'SIGKILL')
})

test('kill() ends a deaf child by SIGKILL after its delay, unless the signal is another one than SIGTERM', async () => {
  const deaf = `process.on('SIGTERM', () => {}).on('SIGINT', () => console.log('heard')); setInterval(() => {}, 1000); console.log('ready')`
  const child = execa(process.execPath, ['--eval', deaf], { ...plain, forceKillAfterDelay: 1 })
  const heard: string[] = []
  child.stdout.on('data', chunk => heard.push(String(chunk)))
  await until(() => heard.join(''), is('ready\n'))
  child.kill('SIGINT')
  await until(() => heard.join(''), is('ready\nheard\n'))
  child.kill('SIGTERM')
  expect(await child).toMatchObject({ signal: 'SIGKILL', isForcefullyTerminated: true })
})

test.runIf(existsSync('/usr/bin/setpriv'))(
  'setpriv --pdeathsig INT interrupts a child whose parent was killed, through its launcher',
  async () => {
    const restic = fakeRestic(folder(), { runs: { backup: { steps: [{ wait: 'never' }] } } })
    const parent = program(
      `import { execa } from 'execa'
     const child = execa('setpriv', ['--pdeathsig', 'INT', '--', process.argv[1], 'backup'], { cleanup: false, detached: true, stdio: 'ignore', env: { RESTIC_REPOSITORY: '/repo' } })
     console.log(child.pid)
     await child`,
      restic.path,
    )
    const { pid } = await restic.reached('never')
    parent.kill('SIGKILL')
    const { stdout } = await parent
    expect(Number(stdout)).toBe(pid)
    await until(() => restic.runs('backup')[0]?.endedAt)
    expect(restic.runs('backup')).toMatchObject([{ signals: ['SIGINT'], exitCode: 1 }])
  },
)

test('a child whose output pipe lost its reader is killed at its next line', async () => {
  const restic = fakeRestic(folder(), {
    runs: { backup: { steps: [{ wait: 'go' }, { flood: { lines: 100 } }, { summary: {} }] } },
  })
  const child = execa(restic.path, ['backup'], { ...plain, env: { RESTIC_REPOSITORY: '/repo' } })
  await restic.reached('go')
  child.stdout.destroy()
  restic.open('go')
  expect(await child).toMatchObject({ signal: 'SIGKILL' })
  expect(restic.snapshots()).toEqual([])
})
