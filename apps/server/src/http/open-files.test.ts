// A limit of open files that the fleet will reach is told before it is reached.
import { expect, test, vi } from 'vitest'
import type { Log } from '@restic-manager/runtime/log'
import { complaintAboutOpenFiles, openFilesIn, warnOfOpenFiles } from './open-files.ts'

const limits = (soft: string) =>
  `Limit                     Soft Limit           Hard Limit           Units\nMax processes             94000                94000                processes\nMax open files            ${soft}                 524288               files\n`

test('the limit of Linux is read, and no limit is none', () => {
  expect(openFilesIn(limits('1024'))).toBe(1_024)
  expect(openFilesIn(limits('unlimited'))).toBeUndefined()
  expect(openFilesIn('')).toBeUndefined()
})

test('less than twice the fleet is complained about with both numbers and what to do', () => {
  expect(complaintAboutOpenFiles(20_000, 9_000)).toBeUndefined()
  expect(complaintAboutOpenFiles(1_024, 300)).toContain('may open 1024 files, and 300 hosts want 1100')
})

test('where nobody tells the limit, nothing is said', async () => {
  const warn = vi.fn()
  await warnOfOpenFiles({ warn } as unknown as Log, 1_000_000, '/no/such/file')
  expect(warn).not.toHaveBeenCalled()
})
