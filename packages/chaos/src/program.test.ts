// Programs that are killed and frozen on purpose, and what is remembered of their ends.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { until } from '@restic-manager/testkit/until'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeProgram } from './program.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rm-program-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function programOf(source: string) {
  const file = path.join(folder, `${Math.random()}.mjs`)
  await writeFile(file, source)
  return makeProgram({ name: 'a program', argv: [file], env: {}, isReady: line => line === 'ready' })
}

test('an end that the run brought about is told apart from one that nobody asked for', async () => {
  const program = await programOf(`console.error('hello'); console.log('ready'); setTimeout(() => {}, 1e9)`)
  await program.start()
  await program.kill()
  await program.start()
  program.freeze()
  program.thaw()
  await program.stop()
  expect(program.exits()).toMatchObject([
    { signal: 'SIGKILL', caused: true },
    { signal: 'SIGTERM', caused: true },
  ])
  expect(program.words()).toBe('hello\nhello\n')

  const faulty = await programOf(`console.log('ready'); setTimeout(() => process.exit(3), 10)`)
  await faulty.start()
  await until(() => faulty.exits().length > 0)
  expect(faulty.exits()).toMatchObject([{ code: 3, caused: false }])
})

test('a program that ends before it is ready says so, and may be started again', async () => {
  const program = await programOf(`console.error('no room'); process.exit(1)`)
  await expect(program.start()).rejects.toThrow('a program ended (exit 1)')
  expect(program.pid()).toBeUndefined()
  await expect(program.start()).rejects.toThrow('no room')
})
