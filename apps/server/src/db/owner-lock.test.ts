// What owning a data directory promises: one owner, to whoever asks, as long as it lives.
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { tryOwning } from './owner-lock.ts'

/** Whether another process gets what is asked for here. */
function gotElsewhere(dataDir: string): boolean {
  const module = JSON.stringify(fileURLToPath(new URL('owner-lock.ts', import.meta.url)))
  const script = `import { tryOwning } from ${module}
    console.log(tryOwning(${JSON.stringify(dataDir)}, 'admin') !== undefined)`
  return (
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).trim() ===
    'true'
  )
}

test('an owner stays the owner when its own process asks again, and lets go when it says so', async () => {
  const dataDir = await mkdtemp(join('/tmp', 'rm-owner-'))
  const lock = tryOwning(dataDir, 'server')
  expect(lock).toBeDefined()
  expect(tryOwning(dataDir, 'admin')).toBeUndefined()
  expect(gotElsewhere(dataDir)).toBe(false)
  lock?.release()
  expect(gotElsewhere(dataDir)).toBe(true)
  await rm(dataDir, { recursive: true })
})
