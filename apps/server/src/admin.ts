// The admin program: accounts, keys and enrolments for scripts and people, with the rights of whoever owns the data directory.
import { readFile } from 'node:fs/promises'
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { z } from 'zod'
import { newId } from '@restic-manager/contract/ids'
import { Refusal } from '@restic-manager/contract/refusal'
import { EnrolmentCreateRequest } from '@restic-manager/contract/requests'
import { Name } from '@restic-manager/contract/scalars'
import { createLog } from '@restic-manager/runtime/log'
import { joinDatabase } from './admin-database.ts'
import { createApiKey } from './auth/api-keys.ts'
import { createOperator, hashOf, isSameOperator, parseNewOperator } from './auth/operators.ts'
import { BadSetting, readConfig, settingsHelp } from './config.ts'
import { type Db, openDatabase } from './db/open.ts'
import { createEnrolment } from './fleet/enrolments.ts'
import { version } from './version.ts'

/** A command line that cannot be understood. */
class BadUsage extends Error {}

type Values = Record<string, string | undefined>
/** `prepare` checks the command line before any database is touched; its answer does the work and returns what to print. */
type Command = {
  usage: string
  options: readonly string[]
  prepare(values: Values): Promise<(db: Db) => Promise<string>>
}

const Role = z.enum(['viewer', 'operator', 'admin'])

const commands: Partial<Record<string, Command>> = {
  'create-operator': {
    usage: '--email E --role viewer|operator|admin --password-file F [--name N]',
    options: ['email', 'role', 'password-file', 'name'],
    async prepare(values) {
      const email = required(values, 'email')
      const role = read(Role, required(values, 'role'), '--role')
      const password = await readPassword(required(values, 'password-file'))
      const operator = parseNewOperator({ email, name: values['name'] ?? email, password })
      const passwordHash = await hashOf(password)
      return async db => {
        try {
          await createOperator(db, { email: operator.email, name: operator.name, passwordHash, role })
          return `Made the operator ${operator.email} (${role}).`
        } catch (error) {
          const mayBeSame = error instanceof Refusal && error.code === 'name_taken'
          if (mayBeSame && (await isSameOperator(db, { email: operator.email, role, password })))
            return `The operator ${operator.email} (${role}) exists already, with this password.`
          throw error
        }
      }
    },
  },
  'create-api-key': {
    usage: '--operator E --name N [--days D]',
    options: ['operator', 'name', 'days'],
    async prepare(values) {
      const email = required(values, 'operator').trim().toLowerCase()
      const name = read(Name, required(values, 'name'), '--name')
      const days = values['days']
      const life =
        days === undefined ? undefined : read(z.coerce.number().int().min(1).max(3_650), days, '--days')
      return db =>
        createApiKey(db, {
          email,
          name,
          ...(life && { expiresAt: new Date(Date.now() + life * 86_400_000) }),
        })
    },
  },
  'create-enrolment': {
    usage: '[--uses N] [--life MINUTES] [--tags a,b]',
    options: ['uses', 'life', 'tags'],
    async prepare(values) {
      const { maxUses, lifeMinutes, tags } = EnrolmentCreateRequest.shape
      const request = {
        requestId: newId(),
        maxUses: read(maxUses, asNumber(values['uses']), '--uses'),
        lifeMinutes: read(lifeMinutes, asNumber(values['life']), '--life'),
        tags: read(
          tags,
          values['tags']?.split(',').map(tag => tag.trim()),
          '--tags',
        ),
        createdBy: 'admin command',
      }
      return async db => (await createEnrolment(db, request)).token
    },
  },
}

const usages = Object.entries(commands).map(([name, command]) => `  ${name} ${command?.usage}`)
const help = `restic-manager admin ${version}

Usage: npm run -s admin -- COMMAND

${usages.join('\n')}

create-operator   makes an account; the same call again changes nothing
create-api-key    prints a key for /trpc, alone, once: send it as Authorization: Bearer
create-enrolment  prints a token that lets a machine in, alone, once

The command uses the database of the running server, or starts the embedded one for the moment.

${settingsHelp()}
`

const asNumber = (value: string | undefined) => (value === undefined ? undefined : Number(value))

function required(values: Values, name: string): string {
  const value = values[name]
  if (value === undefined || value === '') throw new BadUsage(`--${name} is missing.`)
  return value
}

function read<Schema extends z.ZodType>(schema: Schema, value: unknown, flag: string): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new BadUsage(`${flag} cannot be used: ${parsed.error.issues[0]?.message ?? 'it is not valid'}.`)
}

async function readPassword(file: string): Promise<string> {
  const content = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new BadUsage(`The password file ${file} cannot be read (${error.code ?? error.message}).`)
  })
  return content.replace(/\r?\n$/, '')
}

async function run(argv: string[]): Promise<string> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help' || rest.includes('--help'))
    return help
  if (name === '--version') return `${version}\n`
  const command = commands[name]
  if (command === undefined)
    throw new BadUsage(`There is no command ${name}. There are: ${Object.keys(commands).join(', ')}.`)
  const work = await command.prepare(readOptions(command.options, rest))
  const config = readConfig()
  // The answer alone belongs on standard output, and nothing of a start that went well on standard error.
  const log = createLog({ level: config.logLevel === 'info' ? 'error' : config.logLevel })
  const database = await joinDatabase(config, log)
  try {
    const { db, close } = openDatabase(database.url, { max: 2 })
    try {
      return `${await work(db)}\n`
    } finally {
      await close()
    }
  } finally {
    await database.stop()
  }
}

function readOptions(names: readonly string[], args: string[]): Values {
  const options: ParseArgsOptionsConfig = Object.fromEntries(names.map(name => [name, { type: 'string' }]))
  try {
    return parseArgs({ args, options }).values as Values
  } catch (error) {
    throw new BadUsage(error instanceof Error ? error.message : String(error))
  }
}

/** Bad usage and bad settings end with 2, everything else that fails with 1, each with one sentence. */
try {
  process.stdout.write(await run(process.argv.slice(2)))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof BadUsage || error instanceof BadSetting ? 2 : 1
}
