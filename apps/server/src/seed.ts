// `npm run seed`: for developers, a database with a believable fleet to look at and to measure with. Never for a fleet of your own.
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { createLog } from '@restic-manager/runtime/log'
import { BadUsage, type Command, read, readValues } from './admin-command.ts'
import { reachDatabase } from './admin-database.ts'
import { createOperator, hashOf, parseNewOperator } from './auth/operators.ts'
import { type Config, readConfig } from './config.ts'
import { readDatabaseUrl } from './db/address.ts'
import { migrateDatabase } from './db/migrate.ts'
import { openSeal } from './db/open-seal.ts'
import { openDatabase } from './db/open.ts'
import { adminCommand } from './fleet/audit.ts'
import { makeChange } from './fleet/audited.ts'
import { seedFleet } from './seed/seed-fleet.ts'
import { BadSetting } from './setting.ts'

const help = `Usage: npm run seed -- [options]

Fills a database with a made-up fleet: nothing of it exists. For developers.

  --hosts N        hosts (default 200)
  --jobs N         jobs on record, the newest of what is planned (default 20000)
  --days N         how many days back the records reach (default 60)
  --seed N         the same seed makes the same fleet (default 1)
  --online-hours N how long servers take the hosts for online, though nobody is there (default 24)
  --database URL   instead of DATABASE_URL, or of the embedded database in RM_DATA_DIR
  --email E        whom to sign in as (default admin@example.com)
  --password P     their password; without it one is made and printed
  --add            also when the database holds hosts already
`

const command: Pick<Command, 'usage' | 'help' | 'texts' | 'flags'> & Command = {
  usage: '',
  help,
  texts: ['hosts', 'jobs', 'days', 'seed', 'online-hours', 'database', 'email', 'password'],
  flags: ['add', 'help'],
  prepare: () => Promise.reject(new Error('not an admin command')),
}

const whole = (least: number, most: number, fallback: number) =>
  z.coerce.number().int().min(least).max(most).default(fallback)

function readWish(args: string[]) {
  const { texts, flags } = readValues(command, args)
  if (flags.has('help')) return undefined
  const database = texts['database']
  if (database !== undefined && readDatabaseUrl(database) === undefined)
    throw new BadUsage('--database is not the address of a PostgreSQL.')
  const password = texts['password'] ?? randomBytes(12).toString('base64url')
  return {
    database,
    isMade: texts['password'] === undefined,
    operator: parseNewOperator({ email: texts['email'] ?? 'admin@example.com', name: 'Admin', password }),
    fleet: {
      hosts: read(whole(1, 50_000, 200), texts['hosts'], '--hosts'),
      jobs: read(whole(0, 20_000_000, 20_000), texts['jobs'], '--jobs'),
      days: read(whole(1, 730, 60), texts['days'], '--days'),
      seed: read(whole(0, 2 ** 32 - 1, 1), texts['seed'], '--seed'),
      onlineHours: read(whole(0, 100_000, 24), texts['online-hours'], '--online-hours'),
      add: flags.has('add'),
    },
  }
}

async function seed(wish: NonNullable<ReturnType<typeof readWish>>): Promise<string> {
  const own = readConfig()
  const config: Config = wish.database === undefined ? own : { ...own, databaseUrl: wish.database }
  const log = createLog({ level: 'error' })
  const begunAt = performance.now()
  const note = (sentence: string) =>
    void process.stderr.write(
      `${((performance.now() - begunAt) / 1_000).toFixed(1).padStart(6)} s  ${sentence}\n`,
    )
  return reachDatabase(config, log, { migrate: migrateDatabase }, async url => {
    const limits = { databaseWait: 5_000, databaseAnswer: 3_600_000 }
    const { db, close } = openDatabase(url, { max: 1, timing: limits })
    try {
      const { seal, forgetKeys } = await openSeal(db, config.secretKeys)
      const made = await seedFleet(db, seal, { ...wish.fleet, note }).finally(forgetKeys)
      const { email, name, password } = wish.operator
      const passwordHash = await hashOf(password)
      const known = await makeChange(
        db,
        {
          ...{ actor: adminCommand, action: 'seed' },
          subject: (id?: string) => (id === undefined ? undefined : { kind: 'operator' as const, id }),
        },
        tx => createOperator(tx, { email, name, role: 'admin', passwordHash }),
      ).then(
        () => false,
        () => true,
      )
      const who = known
        ? `${email} has an account already.`
        : `Sign in as ${email}${wish.isMade ? ` with ${password}` : ''}.`
      note('done')
      return `${Object.entries(made)
        .map(([what, count]) => `${count} ${what}`)
        .join(', ')}. ${who}\n`
    } finally {
      await close()
    }
  })
}

try {
  const wish = readWish(process.argv.slice(2))
  process.stdout.write(wish === undefined ? help : await seed(wish))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof BadUsage || error instanceof BadSetting ? 2 : 1
}
