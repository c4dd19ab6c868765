// What node:sqlite promises the agent's state: durability settings, one writer, readers beside it, no noise.
import { execa } from 'execa'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'

function file() {
  const dir = mkdtempSync(join(tmpdir(), 'sqlite-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return join(dir, 'state.db')
}

test('write-ahead logging stays with the file, synchronous is of each connection and FULL by default', () => {
  const path = file()
  const first = new DatabaseSync(path)
  expect(first.prepare('pragma journal_mode = wal').get()).toEqual({ journal_mode: 'wal' })
  first.exec('pragma synchronous = normal')
  expect(first.prepare('pragma synchronous').get()).toEqual({ synchronous: 1 })
  first.close()
  const second = new DatabaseSync(path)
  expect(second.prepare('pragma journal_mode').get()).toEqual({ journal_mode: 'wal' })
  expect(second.prepare('pragma synchronous').get()).toEqual({ synchronous: 2 })
  second.close()
})

test('what was committed is there after a kill, what was not is gone', async () => {
  const path = file()
  const program = `import { DatabaseSync } from 'node:sqlite'
    const db = new DatabaseSync(process.argv[1])
    db.exec('pragma journal_mode = wal; create table facts (n integer)')
    db.exec('begin; insert into facts values (1); commit')
    db.exec('begin; insert into facts values (2)')
    process.kill(process.pid, 'SIGKILL')`
  const killed = await execa(process.execPath, ['--input-type=module', '--eval', program, path], {
    reject: false,
  })
  expect(killed.signal).toBe('SIGKILL')
  using db = new DatabaseSync(path)
  expect(db.prepare('select n from facts').all()).toEqual([{ n: 1 }])
})

test('a reader sees the last commit while a writer is busy, a second writer is refused after its timeout', () => {
  const path = file()
  using writer = new DatabaseSync(path)
  writer.exec('pragma journal_mode = wal; create table facts (n integer); insert into facts values (1)')
  writer.exec('begin immediate; insert into facts values (2)')
  using other = new DatabaseSync(path, { timeout: 1 })
  expect(other.prepare('select count(*) as count from facts').get()).toEqual({ count: 1 })
  expect(() => other.exec('begin immediate')).toThrow('database is locked')
  writer.exec('commit')
  other.exec('begin immediate; rollback')
})

test('foreign keys are enforced by default, and an integer beyond 2^53 is an error rather than a wrong number', () => {
  using db = new DatabaseSync(':memory:')
  expect(db.prepare('pragma foreign_keys').get()).toEqual({ foreign_keys: 1 })
  expect(() => db.prepare('select 9007199254740993 as n').get()).toThrow('too large')
})

test('a row is an object without a prototype', () => {
  using db = new DatabaseSync(':memory:')
  expect(Object.getPrototypeOf(db.prepare('select 1 as n').get())).toBe(null)
})

test('a database that is not one is refused at its first use, with a code', () => {
  const path = file()
  using db = new DatabaseSync(path)
  db.exec('create table facts (n integer)')
  db.close()
  expect(() => new DatabaseSync(import.meta.filename).exec('select * from sqlite_master')).toThrow(
    'file is not a database',
  )
})

test('using it prints no warning', async () => {
  const { stderr } = await execa(process.execPath, ['--eval', "require('node:sqlite')"])
  expect(stderr).toBe('')
})
