// Promises of reading what a forget did.
import { expect, test } from 'vitest'
import { forgetGroups } from './forget-groups.ts'

const snapshot = (shortId: string, time: string, reasons: string[]) => ({
  shortId,
  time,
  paths: ['/etc'],
  reasons,
})

test('snapshots stand newest first, and what goes has no reason', () => {
  const read = forgetGroups({
    dryRun: true,
    groups: [
      {
        hostId: 'h',
        scheduleId: 's',
        keepCount: 2,
        removeCount: 1,
        keep: [
          snapshot('aaaaaaaa', '2026-10-20T02:30:00.123456789+02:00', ['daily 2']),
          snapshot('bbbbbbbb', '2026-10-23T02:30:00Z', ['daily snapshot', 'oldest weekly snapshot']),
        ],
        remove: [snapshot('cccccccc', '2026-10-22T02:30:00Z', ['never said'])],
      },
    ],
  })
  expect(read?.groups[0]?.snapshots.map(({ shortId, reasons }) => [shortId, reasons])).toEqual([
    ['bbbbbbbb', ['daily', 'oldest weekly']],
    ['cccccccc', []],
    ['aaaaaaaa', ['daily 2']],
  ])
  expect(read?.groups[0]?.snapshots.at(-1)?.at).toEqual(new Date('2026-10-20T00:30:00.123Z'))
})

test('the result of another kind of job is none', () => {
  expect([null, {}, { total_files_processed: 3 }].map(forgetGroups)).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})
