// Where the sealing key may come from, and what is not taken for one.
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Secret } from '@restic-manager/runtime/secret'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadKey, loadSealingKey } from './sealing-keys.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp('/tmp/rm-keys-')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const forOwner = { mode: 0o600 }

test('the first start makes 32 random bytes that only the owner may read', async () => {
  const file = join(folder, 'made', 'secret.key')
  const key = await loadSealingKey(file, { make: true })
  expect(key).toHaveLength(32)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readFile(file)).toEqual(key)
  expect(await loadSealingKey(file, { make: true })).toEqual(key)
})

test('servers that make the key at the same moment end up with the same one', async () => {
  const file = join(folder, 'race.key')
  const keys = await Promise.all(Array.from({ length: 8 }, () => loadSealingKey(file, { make: true })))
  expect(new Set(keys.map(key => key.toString('hex'))).size).toBe(1)
})

test('a key may be written as hex or base64, and nothing else is taken for one', async () => {
  const key = randomBytes(32)
  const file = join(folder, 'text.key')
  for (const text of [key.toString('hex'), key.toString('base64'), `${key.toString('base64url')}\n`]) {
    await writeFile(file, text, forOwner)
    expect(await loadSealingKey(file, { make: false })).toEqual(key)
    expect(await loadKey({ value: new Secret(text) }, { make: false })).toEqual(key)
  }
  await writeFile(file, 'password', forOwner)
  await expect(loadSealingKey(file, { make: false })).rejects.toThrow('32 bytes')
  const value = loadKey({ value: new Secret('canary-4711') }, { make: false })
  await expect(value).rejects.toThrow(/^There is no sealing key in the environment: 32 bytes/)
})

test.each([0o644, 0o604, 0o660, 0o666])('a file of mode %o is refused, with what to do', async mode => {
  const file = join(folder, 'open.key')
  await writeFile(file, randomBytes(32), forOwner)
  await chmod(file, mode)
  await expect(loadSealingKey(file, { make: false })).rejects.toThrow(
    `is open to others (mode ${mode.toString(8)}). Run: chmod 600 ${file}`,
  )
})

test.each([0o600, 0o400, 0o440])('a file of mode %o is taken', async mode => {
  const file = join(folder, `mode-${mode}.key`)
  await writeFile(file, randomBytes(32), forOwner)
  await chmod(file, mode)
  expect(await loadSealingKey(file, { make: false })).toHaveLength(32)
})

describe('a command', () => {
  const run = (script: string) => loadKey({ command: [process.execPath, '-e', script] }, { make: false })

  test('may print the key as bytes or as text', async () => {
    const hex = 'ab'.repeat(32)
    expect(await run(`process.stdout.write('${hex}\\n')`)).toEqual(Buffer.from(hex, 'hex'))
    expect(await run(`process.stdout.write(Buffer.from('${hex}', 'hex'))`)).toEqual(Buffer.from(hex, 'hex'))
  })

  test('is never run by a shell', async () => {
    const hex = 'cd'.repeat(32)
    const word = `$(touch ${join(folder, 'touched')})`
    const command = [
      process.execPath,
      '-e',
      `console.log(process.argv[1].length === ${word.length} ? '${hex}' : '')`,
      word,
    ]
    expect(await loadKey({ command }, { make: false })).toEqual(Buffer.from(hex, 'hex'))
    await expect(stat(join(folder, 'touched'))).rejects.toThrow('ENOENT')
  })

  test.each([
    ['process.exit(3)', /gave no sealing key: it ended with code 3/],
    [`process.stdout.write('x'.repeat(100_000))`, /it printed more than 4096 bytes/],
    [`console.log('canary-4711')`, /^There is no sealing key in the command .*accepted\.$/],
    [`console.error('canary-4711'); process.exit(1)`, /^(?!.*canary).*ended with code 1/],
  ])('that does %s is a sentence', async (script, sentence) => {
    await expect(run(script)).rejects.toThrow(sentence)
  })

  test('that is not there is a sentence', async () => {
    const missing = loadKey({ command: ['/nowhere/key'] }, { make: false })
    await expect(missing).rejects.toThrow('/nowhere/key gave no sealing key: it could not be run (ENOENT)')
  })
})
