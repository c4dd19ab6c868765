// The admin program: accounts, keys, enrolments and the server's own backup, with the rights of whoever owns the data directory.
import { createLog } from '@restic-manager/runtime/log'
import {
  createApiKeyCommand,
  createEnrolmentCommand,
  createOperatorCommand,
  resetSecondFactorCommand,
} from './admin-accounts.ts'
import { BadUsage, type Command, readValues } from './admin-command.ts'
import { verifyAuditCommand } from './admin-audit.ts'
import { backupCommand, restoreCommand } from './admin-dumps.ts'
import { makeKeyCommand, rotateKeyCommand } from './admin-keys.ts'
import { readConfig, settingsHelp } from './config.ts'
import { BadSetting } from './setting.ts'
import { version } from './version.ts'

const commands: Partial<Record<string, Command>> = {
  'create-operator': createOperatorCommand,
  'reset-second-factor': resetSecondFactorCommand,
  'create-api-key': createApiKeyCommand,
  'create-enrolment': createEnrolmentCommand,
  'verify-audit': verifyAuditCommand,
  backup: backupCommand,
  restore: restoreCommand,
  'make-key': makeKeyCommand,
  'rotate-key': rotateKeyCommand,
}

const width = Math.max(...Object.keys(commands).map(name => name.length))
const list = (line: (command: Command | undefined) => string | undefined) =>
  Object.entries(commands).map(([name, command]) => `${name.padEnd(width)}  ${line(command)}`)

const help = `restic-manager admin ${version}

Usage: npm run -s admin -- COMMAND

${list(command => command?.usage)
  .map(line => `  ${line}`)
  .join('\n')}

${list(command => command?.help).join('\n')}

The command uses the database of the running server, or starts the embedded one for the moment.

${settingsHelp()}
`

async function run(argv: string[], signal: AbortSignal): Promise<string> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help' || rest.includes('--help'))
    return help
  if (name === '--version') return `${version}\n`
  const command = commands[name]
  if (command === undefined)
    throw new BadUsage(`There is no command ${name}. There are: ${Object.keys(commands).join(', ')}.`)
  const work = await command.prepare(readValues(command, rest))
  const config = readConfig()
  // The answer alone belongs on standard output, and nothing of a start that went well on standard error.
  const log = createLog({ level: config.logLevel === 'info' ? 'error' : config.logLevel })
  return `${await work({ config, log, signal })}\n`
}

// Once: a second Ctrl-C ends the program as it is.
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stopping.abort(new Error('Stopped before it was done.')))

/** Bad usage and bad settings end with 2, everything else that fails with 1, each with one sentence. */
try {
  process.stdout.write(await run(process.argv.slice(2), stopping.signal))
} catch (error) {
  const told: unknown = stopping.signal.reason ?? error
  process.stderr.write(`${told instanceof Error ? told.message : String(told)}\n`)
  process.exitCode = error instanceof BadUsage || error instanceof BadSetting ? 2 : 1
}
