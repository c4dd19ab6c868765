// What the admin program promises of the audit log: it says whether the log is whole, and leaves a row of its own acts.
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { asc } from 'drizzle-orm'
import { nodeEnvironment } from '@restic-manager/testkit/node-environment'
import { testProgram } from '../../../scripts/test-programs.ts'
import { auditEvents } from './db/schema-operators.ts'
import { settings } from './db/schema-server.ts'
import { openDatabase } from './db/open.ts'
import { fingerprintSetting } from './db/seal.ts'
import { fingerprintOf, loadSealingKey, makeKeyFile } from './db/sealing-keys.ts'
import { adminCommand, writeAudit } from './fleet/audit.ts'
import { removeExpiredAudit } from './fleet/expired-audit.ts'
import { updateSettings } from './fleet/settings.ts'
import { fillOldAudit } from './testing-audit.ts'
import { type TestDatabase, testDatabase } from './testing-database.ts'

let folder: string
let program: string
let database: TestDatabase
beforeAll(async () => {
  folder = await mkdtemp('/tmp/rm-admin-audit-')
  program = await testProgram('admin')
})
beforeEach(async () => {
  database = await testDatabase()
  return () => database.close()
})
afterAll(() => rm(folder, { recursive: true }))

type Ended = { code: number; out: string; err: string }

const admin = (args: string[], env: Record<string, string> = {}): Promise<Ended> =>
  new Promise(resolve => {
    const surroundings = { ...nodeEnvironment, RM_DATA_DIR: folder }
    const all = { ...surroundings, DATABASE_URL: database.url, ...env }
    const child = execFile(process.execPath, [program, ...args], { env: all }, (_error, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    )
  })
const verify = (...args: string[]) => admin(['verify-audit', ...args])

const fill = async (rows: number) => {
  for (let n = 1; n <= rows; n += 1)
    await database.db.transaction(tx =>
      writeAudit(tx, { actor: adminCommand, action: 'tried', after: { n } }),
    )
}
/** What somebody does who owns the database and not only its rows. */
const forge = (statement: string) =>
  database.sql.unsafe(`alter table audit_events disable trigger user; ${statement}`)
const actions = async (db = database.db) =>
  (await db.select().from(auditEvents).orderBy(asc(auditEvents.number))).map(row => row.action)

/** A database without any tables. */
async function emptyDatabase() {
  const { sql } = database
  const name = `e_${randomBytes(8).toString('hex')}`
  await sql`create database ${sql(name)}`
  const url = new URL(database.url)
  url.pathname = `/${name}`
  const open = openDatabase(url.href, { max: 2 })
  return {
    url: url.href,
    db: open.db,
    async [Symbol.asyncDispose]() {
      await open.close()
      await sql`drop database ${sql(name)} with (force)`
    },
  }
}

test('verify-audit ends with 0 for a whole log, and prints what to note', async () => {
  expect(await verify()).toEqual({ code: 0, out: 'The audit log is empty.\n', err: '' })
  await fill(3)
  const whole = await verify()
  expect(whole).toEqual({
    code: 0,
    out: expect.stringMatching(/^The audit log is whole: 3 rows\.\nLast row: 3:[0-9a-f]{64}\n$/),
    err: '',
  })
  const [, noted = ''] = /Last row: (\S+)/.exec(whole.out) ?? []
  await fill(1)
  expect(await verify('--expect', noted)).toMatchObject({ code: 0, err: '' })
  expect(await actions(), 'looking leaves no row').toHaveLength(4)
})

test('verify-audit ends with 1 and names the row that is changed, missing or cut off', async () => {
  await fill(5)
  const [, noted = ''] = /Last row: (\S+)/.exec((await verify()).out) ?? []
  await forge('delete from audit_events where number = 5')
  expect(await verify(), 'nothing noted, nothing to miss').toMatchObject({ code: 0 })
  const sentence = (err: unknown) => ({ code: 1, out: '', err })
  expect(await verify('--expect', noted)).toEqual(
    sentence('Row 5 is missing: the log ends before row 5, which was noted.\n'),
  )
  await forge('update audit_events set actor_name = $$somebody else$$ where number = 3')
  expect(await verify()).toEqual(
    sentence(expect.stringMatching(/^Row 3 of \S+ \(tried\) was changed, .*its hash does not fit\.\n$/)),
  )
  await forge('delete from audit_events where number = 2')
  expect(await verify()).toEqual(sentence('Row 2 is missing: row 3 comes next.\n'))
})

test('verify-audit says which rows were removed by setting, and of one that was noted that it is among them', async () => {
  const { number, hash } = await fillOldAudit(database.db, [900])
  await fillOldAudit(database.db, [800, 1])
  await updateSettings(database.db, { auditDays: 400 })
  await removeExpiredAudit(database.db)
  const whole = await verify('--expect', `${number}:${hash}`)
  expect(whole).toMatchObject({ code: 0, err: '' })
  expect(whole.out).toMatch(
    /^The audit log is whole: rows 3 to 4\. Those up to 2 were removed on .*: row 4 says so/,
  )
  expect(whole.out).toMatch(
    /\nThe row that was noted is one of those that were removed: .*\nLast row: 4:[0-9a-f]{64}\n$/,
  )
})

test('verify-audit says that it could not look when there is no database, and takes no word for a row', async () => {
  const nowhere = new URL(database.url)
  nowhere.pathname = '/none'
  const [away, unknown, usage] = await Promise.all([
    admin(['verify-audit'], { DATABASE_URL: 'postgres://someone:secret@127.0.0.1:1/x' }),
    admin(['verify-audit'], { DATABASE_URL: nowhere.href }),
    verify('--expect', '4211'),
  ])
  const refused = (code: string) => ({
    code: 1,
    out: '',
    err: `The database of DATABASE_URL does not let the server in (${code}). Check the address, the user and the password.\n`,
  })
  expect(away).toEqual(refused('ECONNREFUSED'))
  expect(unknown).toEqual(refused('3D000'))
  expect(usage).toEqual({
    code: 2,
    out: '',
    err: expect.stringContaining('--expect cannot be used: it is the number'),
  })
})

test('every admin command that changes something or lets a secret out leaves a row, and no other does', async () => {
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, 'correct horse battery')
  const [oldKey, newKey] = [join(folder, 'old.key'), join(folder, 'new.key')]
  await makeKeyFile(oldKey)
  await database.db
    .insert(settings)
    .values({ name: fingerprintSetting, value: fingerprintOf(await loadSealingKey(oldKey, { make: false })) })
  const dump = join(folder, 'server.dump')
  const commands: Record<string, { args: string[]; leaves: string[] }> = {
    'create-operator': {
      args: ['--email', 'a@example.org', '--role', 'admin', '--password-file', passwordFile],
      leaves: ['admin create-operator'],
    },
    'create-api-key': {
      args: ['--operator', 'a@example.org', '--name', 'k'],
      leaves: ['admin create-api-key'],
    },
    'create-enrolment': { args: [], leaves: ['admin create-enrolment'] },
    'reset-second-factor': { args: ['--email', 'a@example.org'], leaves: ['admin reset-second-factor'] },
    'verify-audit': { args: [], leaves: [] },
    'make-key': { args: ['--to', newKey], leaves: [] }, // touches no database
    'rotate-key': { args: [], leaves: ['admin rotate-key'] },
    backup: { args: ['--to', dump], leaves: ['admin backup'] },
  }
  const keys = { RM_SECRET_KEY_FILE: newKey, RM_OLD_SECRET_KEY_FILE: oldKey }
  let before: string[] = []
  for (const [name, { args, leaves }] of Object.entries(commands)) {
    expect(await admin([name, ...args], keys), name).toMatchObject({ code: 0 })
    const after = await actions()
    expect(after.slice(before.length), name).toEqual(leaves)
    before = after
  }
  await using empty = await emptyDatabase()
  expect(await admin(['restore', '--from', dump], { ...keys, DATABASE_URL: empty.url })).toMatchObject({
    code: 0,
  })
  expect(await actions(empty.db), 'the record goes on from where the file ends').toEqual([
    ...before,
    'admin restore',
  ])
  expect(await admin(['verify-audit'], { DATABASE_URL: empty.url })).toMatchObject({ code: 0 })

  const { out: help } = await admin(['--help'])
  const [, lines = ''] = help.split('COMMAND\n\n')
  const listed = lines
    .split('\n\n')[0]
    ?.split('\n')
    .map(line => line.trim().split(' ')[0])
  expect(listed?.toSorted()).toEqual([...Object.keys(commands), 'restore'].toSorted())
})

test('a backup is made of a database that takes no changes, and says that no row tells of it', async () => {
  const file = join(folder, 'standby.dump')
  const name = new URL(database.url).pathname.slice(1)
  await database.sql`alter database ${database.sql(name)} set default_transaction_read_only = on`
  const made = await admin(['backup', '--to', file])
  expect(made).toMatchObject({ code: 0, err: '' })
  expect(made.out).toContain('The audit log has no row of this backup: the database takes no changes now.')
})
