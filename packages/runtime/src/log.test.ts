// The log of both programs, as a small program of its own writes it.
import { spawnSync } from 'node:child_process'
import { existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { toHumanLine } from './human-line.ts'

/** What a program that makes a log and runs `body` writes to its standard error. */
function logged(body: string, options = "{ level: 'info' }") {
  const module = JSON.stringify(join(import.meta.dirname, 'log.ts'))
  const source = `import { createLog } from ${module}\nconst log = createLog(${options})\n${body}`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', source], {
    encoding: 'utf8',
  })
  expect(stdout).toBe('')
  return stderr.trimEnd().split('\n')
}

const parsed = (lines: string[]) => lines.map(line => JSON.parse(line) as Record<string, unknown>)

test('every line is one JSON object on standard error', () => {
  const lines = parsed(logged("log.info({ hostId: 'a' }, 'one'); log.error('two')"))
  expect(lines).toEqual([
    { level: 30, time: expect.any(Number), hostId: 'a', msg: 'one' },
    { level: 50, time: expect.any(Number), msg: 'two' },
  ])
})

test('what is below the level is not written', () => {
  expect(
    parsed(logged("log.debug('no'); log.info('no'); log.warn('yes')", "{ level: 'warn' }")),
  ).toMatchObject([{ msg: 'yes' }])
})

test('the last line before a crash is written', () => {
  expect(logged("log.info('last words'); process.abort()")[0]).toContain('last words')
})

test('values under the names of secrets never appear, one object down neither', () => {
  const body =
    "log.info({ password: 'canary', request: { authorization: 'canary', url: '/a' }, token: 'canary' }, 'asked')"
  const lines = logged(body)
  expect(lines.join('')).not.toContain('canary')
  expect(parsed(lines)).toMatchObject([{ password: '[redacted]', request: { url: '/a' } }])
})

test('a person gets a line with clock, level, sentence and facts, and no secret', () => {
  const [line = ''] = logged(
    "log.warn({ hostId: 'a b', token: 'canary' }, 'asked')",
    "{ level: 'info', human: true }",
  )
  expect(stripVTControlCharacters(line)).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} warn {2}asked hostId="a b" token=\[redacted\]$/,
  )
})

test('what is not a line of the log stays as it is', () => {
  expect(toHumanLine('plain text\n')).toBe('plain text\n')
})

test.skipIf(!existsSync('/dev/full'))('a full disk under the log does not end the program', () => {
  for (const human of [true, false]) {
    const module = JSON.stringify(join(import.meta.dirname, 'log.ts'))
    const source = `import { createLog } from ${module}\nconst log = createLog({ level: 'info', human: ${human} })
      for (let i = 0; i < 20_000; i += 1) log.info({ i }, 'x'.repeat(200))
      setTimeout(() => process.stdout.write(String(process.memoryUsage().rss < 200e6)), 10)`
    const words = ['--input-type=module', '--eval', source]
    const { stdout, status } = spawnSync(process.execPath, words, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', openSync('/dev/full', 'w')],
    })
    expect([status, stdout]).toEqual([0, 'true'])
  }
})
