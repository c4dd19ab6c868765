// A preview fits into a message whatever it is about, and its counts are true.
import { newId } from '@restic-manager/contract/ids'
import { ForgetPreview } from '@restic-manager/contract/retention'
import { expect, test } from 'vitest'
import { previewOf, type TargetResult } from './forget-preview.ts'

const snapshots = (count: number, paths: string[]) =>
  Array.from({ length: count }, (_, at) => ({
    id: at.toString(16).padStart(64, '0'),
    time: '2026-03-01T03:00:00.123456789+02:00',
    paths,
  }))

function result(keep: number, remove: number, paths = ['/srv']): TargetResult {
  return {
    target: { hostId: newId(), scheduleId: newId() },
    groups: [
      {
        keep: snapshots(keep, paths),
        remove: snapshots(remove, paths),
        reasons: Array.from({ length: keep }, () => ['daily snapshot']),
      },
    ],
  }
}

const listed = ({ groups }: ForgetPreview) =>
  groups.reduce((sum, { keep, remove }) => sum + keep.length + remove.length, 0)

test('everything is listed where there is room', () => {
  const preview = previewOf([result(3, 2), result(1, 0)], true)
  expect(ForgetPreview.parse(preview)).toEqual(preview)
  expect(listed(preview)).toBe(6)
})

test.each([
  ['many snapshots of one schedule', [result(50_000, 40_000)]],
  [
    'a few snapshots of very many folders',
    [
      result(
        500,
        500,
        Array.from({ length: 50 }, () => '/p'.repeat(2_000)),
      ),
    ],
  ],
  ['very many schedules', Array.from({ length: 1_000 }, () => result(30, 5))],
])('%s are counted in whole and listed in part', (_, results) => {
  const preview = previewOf(results, false)
  expect(ForgetPreview.parse(preview)).toEqual(preview)
  expect(listed(preview)).toBeLessThanOrEqual(2_000)
  expect(Buffer.byteLength(JSON.stringify(preview))).toBeLessThan(256 * 1024)
  const first = results[0]?.groups[0]
  expect(preview.groups[0]).toMatchObject({
    keepCount: first?.keep.length,
    removeCount: first?.remove.length,
  })
})

test('what goes is listed first, and some of what stays is too', () => {
  const [group] = previewOf([result(5_000, 5_000)], true).groups
  expect(group?.remove.length).toBeGreaterThan(0)
  expect(group?.keep.length).toBeGreaterThan(0)
})
