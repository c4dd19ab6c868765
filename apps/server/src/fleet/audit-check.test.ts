// The check of the audit log promises: a row that is changed, missing or cut off shows, and the first one is named.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../testing.ts'
import { adminCommand, writeAudit } from './audit.ts'
import { checkAudit } from './audit-check.ts'

let database: TestDatabase
beforeEach(async () => {
  database = await testDatabase()
})
afterEach(() => database.close())

/** Rows as they come, in one transaction so that a test need not wait long. */
async function fill(rows: number) {
  await database.db.transaction(async tx => {
    for (let n = 1; n <= rows; n += 1) {
      const after = {
        n,
        '10': 'ten',
        '9': 'nine',
        float: 0.1 + n,
        deep: { b: [1, null], a: 'ä\u0000\ud800' },
      }
      await writeAudit(tx, { actor: adminCommand, action: 'tried', before: { big: 1e21, none: null }, after })
    }
  })
  const check = await checkAudit(database.db)
  if ('wrong' in check) throw new Error(check.wrong)
  return check
}

/** What somebody does who owns the database and not only its rows. */
const forge = (statement: string) =>
  database.sql.unsafe(`alter table audit_events disable trigger user; ${statement}`)

test('a whole log is read in parts, and says how far it goes', async () => {
  expect(await checkAudit(database.db)).toEqual({ rows: 0, hash: '0'.repeat(64) })
  const { rows: number, hash } = await fill(5)
  await fill(2)
  for (const atATime of [1, 3, 7, 8])
    expect(await checkAudit(database.db, { number, hash }, atATime)).toMatchObject({ rows: 7 })
})

test.each([
  'update audit_events set actor_name = $$x$$',
  'delete from audit_events',
  'truncate audit_events',
])('the database itself refuses: %s', async statement => {
  await fill(1)
  await expect(database.sql.unsafe(statement)).rejects.toThrow('only ever added')
})

test.each([
  ['update audit_events set actor_name = $$somebody else$$ where number = 3', 'Row 3 of '],
  [`update audit_events set after = '{"n":4}' where number = 4`, 'Row 4 of '],
  ['update audit_events set host_ids = array[gen_random_uuid()] where number = 2', 'Row 2 of '],
  [`update audit_events set at = at + interval '1 millisecond' where number = 5`, 'Row 5 of '],
  ['delete from audit_events where number = 2', 'Row 2 is missing: row 3 comes next.'],
  ['delete from audit_events where number = 1', 'Row 1 is missing: row 2 comes next.'],
])('%s: the check says "%s"', async (statement, sentence) => {
  await fill(5)
  await forge(statement)
  expect(await checkAudit(database.db)).toEqual({ wrong: expect.stringContaining(sentence) })
})

test('a log that was cut off, or written anew, is found out by what was noted', async () => {
  const { rows: number, hash } = await fill(5)
  await forge('delete from audit_events where number > 3')
  expect(await checkAudit(database.db)).toMatchObject({ rows: 3 })
  expect(await checkAudit(database.db, { number, hash })).toEqual({
    wrong: 'Row 4 is missing: the log ends before row 5, which was noted.',
  })
  await fill(2)
  expect(await checkAudit(database.db, { number, hash })).toEqual({
    wrong: 'Row 5 is not the one that was noted: the log was written anew.',
  })
})

test('a row is only written in a transaction', async () => {
  await expect(writeAudit(database.db, { actor: adminCommand, action: 'tried' })).rejects.toThrow(
    'transaction',
  )
})
