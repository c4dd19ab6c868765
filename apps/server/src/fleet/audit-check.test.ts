// The check of the audit log promises: a row that is changed, missing or cut off shows, and the first one is named.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { auditEventHosts, auditEvents } from '../db/schema-operators.ts'
import { fillOldAudit } from '../testing-audit.ts'
import { type TestDatabase, testDatabase } from '../testing.ts'
import { adminCommand, writeAudit } from './audit.ts'
import { checkAudit } from './audit-check.ts'
import { removeExpiredAudit } from './expired-audit.ts'
import { updateSettings } from './settings.ts'

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

describe('rows whose time is over', () => {
  const DAY_MS = 86_400_000
  const fillOld = (days: readonly number[]) => fillOldAudit(database.db, days)
  const numbers = async () =>
    (await database.db.select().from(auditEvents).orderBy(auditEvents.number)).map(row => row.number)
  const remove = (wish: Parameters<typeof removeExpiredAudit>[1] = {}) =>
    removeExpiredAudit(database.db, wish)

  test('are kept for ever unless somebody decides otherwise, and then go in steps, each told of by a row that is checked too', async () => {
    await fillOld([900, 800, 700, 500, 400, 399, 1])
    expect(await remove()).toEqual({ removed: 0 })
    await updateSettings(database.db, { auditDays: 400 })
    expect(await remove({ step: 3, forMs: 0 })).toEqual({ removed: 3 })
    expect(await numbers()).toEqual([4, 5, 6, 7, 8])
    expect(await checkAudit(database.db)).toMatchObject({
      rows: 8,
      expired: { through: 3, keptDays: 400, saidBy: 8 },
    })
    // Of a day that is not over yet nothing goes, so that one row a day is the most that this leaves behind.
    expect(await remove({ step: 1, forMs: 60_000 })).toEqual({ removed: 1 })
    expect(await numbers()).toEqual([5, 6, 7, 8, 9])
    expect(await remove()).toEqual({ removed: 0 })
    const listed = await database.db.select().from(auditEventHosts).orderBy(auditEventHosts.number)
    expect(listed.map(({ number }) => number)).toEqual([5, 6, 7])
    await fill(2)
    for (const atATime of [1, 1_000])
      expect(await checkAudit(database.db, undefined, atATime)).toMatchObject({
        rows: 11,
        expired: { through: 4, saidBy: 9 },
      })
    await updateSettings(database.db, { auditDays: null })
    expect(await remove()).toEqual({ removed: 0 })
  })

  test('several servers at once remove each row once', async () => {
    await fillOld([900, 800, 700, 600, 500])
    await updateSettings(database.db, { auditDays: 400 })
    const done = await Promise.all([remove({ step: 2 }), remove({ step: 2 }), remove({ step: 2 })])
    expect(done.reduce((sum, { removed }) => sum + removed, 0)).toBe(5)
    expect(await checkAudit(database.db)).toMatchObject({ expired: { through: 5 } })
  })

  test('do not go while the clocks are more than a day apart', async () => {
    await fillOld([900])
    await updateSettings(database.db, { auditDays: 400 })
    for (const days of [-2, 2])
      expect(await remove({ now: () => Date.now() + days * DAY_MS })).toMatchObject({ removed: 0 })
  })

  test('are known by what was noted of the last of them, and of no other', async () => {
    const { number, hash } = await fillOld([900, 800])
    await fillOld([1])
    await updateSettings(database.db, { auditDays: 400 })
    await remove()
    expect(await checkAudit(database.db, { number, hash })).toEqual(
      expect.not.objectContaining({ notedHasExpired: true }),
    )
    expect(await checkAudit(database.db, { number, hash: '1'.repeat(64) })).toEqual({
      wrong: 'Row 2 is not the one that was noted: the log was written anew.',
    })
    expect(await checkAudit(database.db, { number: 1, hash })).toMatchObject({ notedHasExpired: true })
  })

  test.each([
    ['delete from audit_events where number = 3', 'Row 1 is missing: row 4 comes next.'],
    [
      `update audit_events set after = jsonb_set(after, '{digest}', to_jsonb(repeat('1', 64))) where number = 6`,
      'Row 3 of ',
    ],
    [`update audit_events set after = jsonb_set(after, '{keptDays}', '9') where number = 6`, 'Row 6 of '],
    ['delete from audit_events where number = 6', 'Row 1 is missing: row 3 comes next.'],
  ])('hide no others: %s', async (statement, sentence) => {
    await fillOld([900, 800, 3, 2, 1])
    await updateSettings(database.db, { auditDays: 400 })
    await remove()
    await forge(statement)
    expect(await checkAudit(database.db)).toEqual({ wrong: expect.stringContaining(sentence) })
  })

  test('go through no other door, and young ones through none', async () => {
    await fillOld([900, 300])
    await expect(database.sql.unsafe('delete from audit_events')).rejects.toThrow('only ever added')
    const all = database.sql.begin(async tx => {
      await tx`set local restic_manager.expiring = 'on'`
      await tx`delete from audit_events`
    })
    await expect(all).rejects.toThrow('only ever added')
  })
})
