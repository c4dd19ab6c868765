// Processes by id: nobody else's is ever stopped, and one that cannot be stopped holds nobody up.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { processStart, resticWithTag, stillRuns, stopOrphan } from './processes.ts'

const forever = new AbortController().signal
const node = (script: string, ...words: string[]) =>
  spawn(process.execPath, ['-e', script, '--', ...words], { stdio: ['ignore', 'pipe', 'ignore'] })

test('a process whose beginning nobody noted could be anybody, and is left alone', () => {
  expect(stillRuns(process.pid, undefined)).toBe(false)
  expect(stillRuns(process.pid, processStart(process.pid))).toBe(true)
})

test('only what backs up under the tag is found by it, not what merely names it', async () => {
  const tag = 'rm-job=0197a000-0000-7000-8000-000000000001'
  const script = 'console.log(1); setTimeout(() => {}, 60_000)'
  const [ours, reader] = [node(script, 'backup', '--tag', tag), node(script, 'snapshots', '--tag', tag)]
  await Promise.all([once(ours.stdout, 'data'), once(reader.stdout, 'data')])
  expect(resticWithTag(tag)).toEqual([ours.pid])
  const gone = [once(ours, 'exit'), once(reader, 'exit')]
  ours.kill('SIGKILL')
  reader.kill('SIGKILL')
  await Promise.all(gone)
})

test('a process that does not listen is killed, and the agent can stop before that', async () => {
  const child = node('process.on("SIGINT", () => {}); console.log(1); setTimeout(() => {}, 60_000)')
  await once(child.stdout, 'data')
  const hurry = new AbortController()
  const early = stopOrphan(child.pid as number, 60_000, hurry.signal)
  hurry.abort()
  expect(await early).toBe(false)
  expect(await stopOrphan(child.pid as number, 50, forever)).toBe(true)
  await until(() => processStart(child.pid as number) === undefined)
})
