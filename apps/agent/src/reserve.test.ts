// The room held back: given up piece by piece to what must be written, and taken back.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '@restic-manager/runtime/log'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isDiskFull, openReserve } from './reserve.ts'

const log = createLog({ level: 'silent' })
const whole = 1024 * 1024
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rm-reserve-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const held = () => statSync(join(folder, 'reserve')).size
const noRoom = (code: string) => Object.assign(new Error('no room'), { code })
/** Work that finds the disk full while more than `bytes` are held back. */
const needs = (bytes: number) => () => {
  if (held() > bytes) throw noRoom('ENOSPC')
  return 'written'
}

test('it is made whole at once, and gives up no more than what is asked of it', () => {
  const reserve = openReserve(folder, log, whole)
  expect([held(), reserve.isFull()]).toEqual([whole, false])
  expect(reserve.spend('some', () => 'written')).toBe('written')
  expect(held()).toBe(whole)
  expect(reserve.spend('some', needs(whole - 1))).toBe('written')
  expect([held(), reserve.isFull()]).toEqual([whole * 0.75, true])
  reserve.refill()
  expect([held(), reserve.isFull()]).toEqual([whole, false])
})

test('half of it is for the ends of what has begun, and nothing else gets it', () => {
  const reserve = openReserve(folder, log, whole)
  expect(() => reserve.spend('some', needs(0))).toThrow('no room')
  expect(held()).toBe(whole / 2)
  expect(reserve.spend('all', needs(0))).toBe('written')
  expect(held()).toBe(0)
  expect(() => reserve.spend('all', needs(-1))).toThrow('no room')
})

test('what is not worth any of it only makes known that the disk is full', () => {
  const reserve = openReserve(folder, log, whole)
  expect(() => reserve.watch(needs(0))).toThrow('no room')
  expect([held(), reserve.isFull()]).toEqual([whole, true])
})

test('an error that is not about room costs nothing', () => {
  const reserve = openReserve(folder, log, whole)
  expect(() =>
    reserve.spend('all', () => {
      throw noRoom('EACCES')
    }),
  ).toThrow('no room')
  expect([held(), reserve.isFull()]).toEqual([whole, false])
})

test('full disks and quotas are told from other troubles, of files and of databases', () => {
  const sqlite = (errcode: number) => Object.assign(new Error('x'), { code: 'ERR_SQLITE_ERROR', errcode })
  expect([noRoom('ENOSPC'), noRoom('EDQUOT'), sqlite(13), sqlite(778)].map(isDiskFull)).toEqual(
    Array(4).fill(true),
  )
  expect([noRoom('EIO'), sqlite(11), sqlite(5), new Error('x'), 'x'].map(isDiskFull)).toEqual(
    Array(5).fill(false),
  )
})
