// The server's program: reads its settings, starts, says so, and stops in order when it is told to.
import { parseArgs } from 'node:util'
import { createLog } from '@restic-manager/runtime/log'
import { readConfig, settingsHelp } from './config.ts'
import { describeError } from './http/error-log.ts'
import { BadSetting } from './setting.ts'
import type { RunningServer } from './start.ts'
import { version } from './version.ts'

const help = `restic-manager server ${version}

Usage: npm start, or node apps/server/dist/main.js [--help] [--version]

Prints \`ready http://HOST:PORT\` on standard output when it accepts requests, and a
set-up link before that while no operator exists. Its log goes to standard error.

${settingsHelp()}
`

const stopDeadlineMs = 30_000

function readArguments() {
  try {
    return parseArgs({ options: { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } } })
      .values
  } catch (error) {
    return exitWith(2, `${error instanceof Error ? error.message : String(error)}\nTry --help.`)
  }
}

function readSettings() {
  try {
    return readConfig()
  } catch (error) {
    if (error instanceof BadSetting) return exitWith(2, error.message)
    throw error
  }
}

function exitWith(code: number, sentence: string): never {
  process.stderr.write(`${sentence}\n`)
  process.exit(code)
}

const flags = readArguments()
if (flags.help) {
  process.stdout.write(help)
  process.exit(0)
}
if (flags.version) {
  process.stdout.write(`${version}\n`)
  process.exit(0)
}
const config = readSettings()
const log = createLog({ level: config.logLevel })

let server: Promise<RunningServer> | undefined
let ending = false

/** Stops once; a second signal, or too long a stop, ends the process as it is. */
async function end(code: number, reason: string) {
  if (ending) return process.exit(code || 1)
  ending = true
  log.info({ reason }, 'asked to stop')
  setTimeout(() => {
    log.error('stopping took too long')
    process.exit(1)
  }, stopDeadlineMs).unref()
  try {
    await (await server)?.stop()
  } catch (error) {
    log.error({ error: describeError(error) }, 'could not stop in order')
    process.exit(1)
  }
  return process.exit(code)
}

/** What went wrong, and for a port that is taken what to do about it. */
function whyNotStarted(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error && error.code === 'EADDRINUSE'
    ? `PORT: ${config.port} on ${config.host} is in use. Stop what listens there, or choose another port; 0 takes any free one.`
    : error.message
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void end(0, signal))
// Started by a program of ours, over a channel: when that program is gone, so is the reason to run.
process.on('disconnect', () => void end(0, 'parent gone'))
process.on('uncaughtException', error => {
  log.fatal({ error: describeError(error) }, 'a bug: an error nobody caught')
  void end(1, 'bug')
})

try {
  // Loaded only now: bad settings are answered at once.
  const { startServer } = await import('./start.ts')
  server = startServer(config, { log, timing: config.timing })
  const { url, setupLink } = await server
  if (setupLink !== undefined) process.stdout.write(`set-up link: ${setupLink}\n`)
  process.stdout.write(`ready ${url}\n`)
} catch (error) {
  if (!ending) {
    log.debug({ error: describeError(error) }, 'the start failed')
    exitWith(1, whyNotStarted(error))
  }
}
