// restic is run as a program that may print anything, hang, die or be missing, and nothing of that harms the agent.
import { fakeRestic, type FakeRestic } from '@restic-manager/testkit/fake-restic'
import { until } from '@restic-manager/testkit/until'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ResticLine } from './messages.ts'
import { runRestic, type ResticExit, type ResticRun } from './run.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-restic-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const env = { RESTIC_REPOSITORY: '/srv/repository', RESTIC_PASSWORD: 'canary-secret' }

type Going = { exit: Promise<ResticExit>; lines: ResticLine[]; cancel: AbortController }

function start(restic: Pick<FakeRestic, 'path'>, over: Partial<ResticRun> = {}): Going {
  const cancel = new AbortController()
  const lines: ResticLine[] = []
  const exit = runRestic({
    path: restic.path,
    args: ['backup', '--json'],
    env,
    secrets: ['canary-secret'],
    signal: cancel.signal,
    graceMs: 60_000,
    onLine: line => lines.push(line),
    ...over,
  })
  return { exit, lines, cancel }
}

const script = (steps: NonNullable<Parameters<typeof fakeRestic>[1]>['runs']) =>
  fakeRestic(folder, { runs: steps ?? {} })
const payloads = (lines: ResticLine[]) => lines.map(({ payload }) => payload)

test('restic has exactly the environment it was given, and nobody can read a secret in its arguments', async () => {
  const fake = script({ backup: { steps: [{ wait: 'gate' }] } })
  const { exit } = start(fake)
  const run = await fake.reached('gate')
  expect(run.env).toEqual(env)
  expect(readFileSync(`/proc/${run.pid}/cmdline`, 'utf8')).not.toContain('canary-secret')
  fake.open('gate')
  expect(await exit).toMatchObject({ exitCode: 0, interrupted: false })
})

test('both streams come as lines with the secrets masked', async () => {
  const fake = script({
    backup: {
      steps: [
        { print: 'the password is canary-secret' },
        { print: 'at http://me:hidden@host/', to: 'stderr' },
      ],
    },
  })
  const { exit, lines } = start(fake)
  await exit
  expect(lines.toSorted((a, b) => b.stream.localeCompare(a.stream))).toEqual([
    { stream: 'stdout', payload: 'the password is ***' },
    { stream: 'stderr', payload: 'at http://***@host/' },
  ])
})

test('cancel interrupts restic and only restic, and the exit tells how it ended', async () => {
  const fake = script({ backup: { steps: [{ wait: 'for ever' }] } })
  const { exit, cancel } = start(fake)
  await fake.reached('for ever')
  cancel.abort()
  expect(await exit).toMatchObject({ interrupted: true, exitCode: expect.any(Number) })
  expect(fake.runs()[0]?.signals).toEqual(['SIGINT'])
})

test('a restic that does not heed SIGINT is killed after the grace', async () => {
  const fake = script({ backup: { steps: [{ wait: 'for ever' }], interrupted: 'ignored' } })
  const { exit, cancel } = start(fake, { graceMs: 200 })
  await fake.reached('for ever')
  cancel.abort()
  expect(await exit).toMatchObject({ interrupted: true, signal: 'SIGKILL' })
})

test('a restic that was to be stopped before it began never runs', async () => {
  const fake = script({})
  expect(await start(fake, { signal: AbortSignal.abort() }).exit).toEqual({ interrupted: true, document: '' })
  expect(fake.ledger()).toEqual([])
})

test('a child that outlives restic and holds its output is ended, and does not hold up the job', async () => {
  const path = join(folder, 'restic')
  writeFileSync(path, `#!/bin/sh\nsleep 1000 &\necho $! > ${folder}/child\necho last words\n`)
  chmodSync(path, 0o755)
  const { exit, lines } = start({ path }, { env: { PATH: '/usr/bin:/bin' } })
  expect(await exit).toMatchObject({ exitCode: 0 })
  expect(payloads(lines)).toEqual(['last words'])
  const child = readFileSync(join(folder, 'child'), 'utf8').trim()
  await until(
    () => !existsSync(`/proc/${child}`) || readFileSync(`/proc/${child}/stat`, 'utf8').includes(') Z '),
  )
}, 30_000)

test('a line of 300 MB costs no memory, and restic is never held up', async () => {
  const fake = script({
    backup: { steps: [{ longLine: { bytes: 300_000_000 } }, { print: 'after it' }] },
  })
  const before = process.memoryUsage().rss
  let peak = before
  const watching = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss)
  }, 20)
  const { exit, lines } = start(fake)
  await exit
  clearInterval(watching)
  const [long, after] = payloads(lines) as [string, string]
  expect(Buffer.byteLength(long)).toBeLessThanOrEqual(16 * 1024)
  expect(long).toMatch(/xxx … \(299\d{6} bytes dropped\)$/)
  expect(after).toBe('after it')
  expect(peak - before).toBeLessThan(150_000_000)
}, 60_000)

test('output as fast as it can be read arrives whole and in order', async () => {
  const fake = script({ backup: { steps: [{ flood: { lines: 200_000, text: 'x'.repeat(100) } }] } })
  let next = 0
  let misplaced = 0
  const { exit } = start(fake, {
    onLine: ({ payload }) => {
      if (!payload.startsWith(`${next} `)) misplaced += 1
      next += 1
    },
  })
  await exit
  expect({ next, misplaced }).toEqual({ next: 200_000, misplaced: 0 })
}, 60_000)

test('a document is collected as it is and its lines are not told', async () => {
  const fake = script({
    backup: { steps: [{ print: '[1,' }, { print: '2]' }, { print: 'note', to: 'stderr' }] },
  })
  const { exit, lines } = start(fake, { document: true })
  expect((await exit).document).toBe('[1,\n2]\n')
  expect(payloads(lines)).toEqual(['note'])
})

test('a restic that is not there is an ending like any other', async () => {
  const exit = await start({ path: join(folder, 'missing') }).exit
  expect(exit.exitCode === 127 || exit.failure !== undefined).toBe(true)
})

test('arguments the system does not take are an ending like any other', async () => {
  const { exit } = start(script({}), { args: ['x'.repeat(200_000)] })
  expect((await exit).failure).toContain('E2BIG')
})

test('a mistake in a listener stops restic before it is told', async () => {
  const fake = script({ backup: { steps: [{ print: 'a line' }, { wait: 'for ever' }] } })
  const { exit } = start(fake, {
    onLine: () => {
      throw new Error('mistaken')
    },
  })
  await expect(exit).rejects.toThrow('mistaken')
  expect(fake.runs()[0]?.signals).toEqual(['SIGINT'])
})
