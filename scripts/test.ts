// `npm test`: fetches what the tests run against, builds what they start, then hands over to vitest.
// Arguments go to vitest: `npm test -- --project server`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { ensureChromium } from './chromium.ts'
import { build, root } from './processes.ts'
import { ensureTool } from './restic.mjs'

const note = (sentence: string) => void process.stderr.write(`${sentence}\n`)

/** What cannot be had is said here; the tests that need it are skipped and say so again. */
async function fetchTestTools() {
  for (const name of ['0.14.0', '0.18.0', 'rest-server', 'rclone', 'sshd', 'pgbouncer'] as const) {
    await ensureTool(name, { onNote: note }).catch((error: Error) => note(error.message))
  }
  await ensureChromium(note)
}

async function main(): Promise<number> {
  await fetchTestTools()
  note('Building what has changed …')
  await build()
  const vitest = spawn(
    process.execPath,
    [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...process.argv.slice(2)],
    { cwd: root, stdio: 'inherit' },
  )
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => vitest.kill(signal))
  const [code] = (await once(vitest, 'exit')) as [number | null]
  return code ?? 1
}

try {
  process.exitCode = await main()
} catch (error) {
  note(error instanceof Error ? error.message : String(error))
  process.stdout.write('0 passed, 1 failed\n')
  process.exitCode = 1
}
