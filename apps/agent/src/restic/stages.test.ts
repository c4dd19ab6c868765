// What prune, check and forget said in captured runs, as numbers.
import { readCapture, type CapturedVersion } from '@restic-manager/testkit/captures'
import { describe, expect, test } from 'vitest'
import { readForgetResult } from './forget-result.ts'
import { deletionRefusal } from './outcome.ts'
import { readPruneFigures, readStage } from './stages.ts'

test.each([
  ['[0:04] 69.23%  9 / 13 packs repacked', { done: 9, of: 13, what: 'packs repacked' }],
  ['[1:02:03] 100.00%  5 / 5 snapshots', { done: 5, of: 5, what: 'snapshots' }],
  ['[0:00]          0 packs', { done: 0, of: undefined, what: 'packs' }],
  ['remaining:            36 blobs / 203.406 KiB', undefined],
  ['repacking packs', undefined],
])('%j is read as progress only where it is', (line, stage) => {
  expect(readStage(line)).toEqual(stage)
})

describe.each<CapturedVersion>(['0.14.0', '0.18.0'])('with restic %s', version => {
  const linesOf = (name: string) => readCapture(version, name).stdout.split('\n')

  test('a prune says what goes, what stays and what of that is unused', () => {
    const figures = Object.assign({}, ...linesOf('prune').map(readPruneFigures)) as Record<string, number>
    expect(Object.keys(figures).toSorted()).toEqual(
      'deleteBlobs deleteBytes remainingBlobs remainingBytes removedBlobs removedBytes repackBlobs repackBytes unusedBytes'.split(
        ' ',
      ),
    )
    expect(figures).toMatchObject({ removedBlobs: 64, deleteBlobs: 56, unusedBytes: 0 })
    expect(figures.remainingBytes).toBeGreaterThan(200 * 1024)
    const large = Object.assign({}, ...linesOf('tl-prune').map(readPruneFigures)) as Record<string, number>
    expect(large.remainingBytes).toBeGreaterThan(300 * 1024 ** 2)
  })

  test('a forget says of each group what stays, why, and what goes', () => {
    const groups = readForgetResult(readCapture(version, 'forget-dry-run').stdout)
    expect(groups.length).toBeGreaterThan(1)
    for (const { keep, remove, reasons } of groups) {
      expect(reasons).toHaveLength(keep.length)
      for (const { id } of [...keep, ...remove]) expect(id).toMatch(/^[0-9a-f]{64}$/)
    }
    expect(groups.flatMap(({ reasons }) => reasons.flat())).toContain('last snapshot')
    expect(readForgetResult(readCapture(version, 'forget-none-match').stdout)).toEqual([])
  })

  test('a storage that keeps what it has is known by restic’s words, in whichever way it says them', () => {
    for (const name of ['append-only-forget', 'append-only-prune-with-work']) {
      const refusals = readCapture(version, name)
        .stderr.split('\n')
        .flatMap(line => deletionRefusal(line) ?? [])
      expect(refusals.length).toBeGreaterThan(0)
      expect(new Set(refusals.map(({ isRetried }) => isRetried))).toEqual(new Set([version === '0.14.0']))
    }
    for (const name of ['netcut-10s', 'rest-unreachable-snapshots', 'locked-live-prune'])
      for (const line of readCapture(version, name).stderr.split('\n'))
        expect(deletionRefusal(line)).toBeUndefined()
  })
})
