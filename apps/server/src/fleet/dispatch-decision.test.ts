// The line of a repository: who waits for whom, as a table.
import { describe, expect, test } from 'vitest'
import type { JobKind } from '@restic-manager/contract/job'
import { decideLine, type LineJob } from './dispatch-decision.ts'

const hour = 3_600_000
const now = 100 * hour

/** `minutes` ago the job lined up. */
const job = (id: string, kind: JobKind, minutes: number, over: Partial<LineJob> = {}): LineJob => ({
  id,
  kind,
  dryRun: false,
  held: true,
  ripe: true,
  linedUpAt: now - minutes * 60_000,
  ...over,
})
const gone = { held: false }
const decide = (...line: LineJob[]) => {
  const { release, wait } = decideLine(line, { now, maintenanceWait: hour })
  return Object.fromEntries([
    ...release.map(id => [id, 'goes']),
    ...wait.map(({ id, waitsFor }) => [id, `waits for ${waitsFor}`]),
  ]) as Record<string, string>
}

test.each<[string, LineJob[], Record<string, string>]>([
  ['an empty line decides nothing', [], {}],
  ['backups go together', [job('a', 'backup', 5, gone), job('b', 'backup', 1)], { b: 'goes' }],
  ['a prune alone goes', [job('p', 'prune', 0)], { p: 'goes' }],
  [
    'a prune waits for a backup at work',
    [job('a', 'backup', 5, gone), job('p', 'prune', 1)],
    { p: 'waits for a' },
  ],
  [
    'a prune waits for a backup that was let go after it lined up',
    [job('p', 'prune', 90), job('a', 'backup', 5, gone)],
    { p: 'waits for a' },
  ],
  [
    'a prune waits for another exclusive job, and the third for the first',
    [job('c', 'check', 9, gone), job('p', 'prune', 5), job('f', 'forget', 1)],
    { p: 'waits for c', f: 'waits for c' },
  ],
  [
    'of two that come at once one goes',
    [job('p', 'prune', 1), job('q', 'check', 1)],
    {
      p: 'goes',
      q: 'waits for p',
    },
  ],
  [
    'a backup waits for a prune at work',
    [job('p', 'prune', 5, gone), job('a', 'backup', 1)],
    { a: 'waits for p' },
  ],
  [
    'a backup waits for a prune that stands before it and waits itself',
    [job('a', 'backup', 9, gone), job('p', 'prune', 5), job('b', 'backup', 1)],
    { p: 'waits for a', b: 'waits for p' },
  ],
  [
    'a backup waits for no exclusive job that came after it',
    [job('a', 'backup', 9, gone), job('b', 'backup', 5), job('p', 'prune', 1)],
    { b: 'goes', p: 'waits for a' },
  ],
  [
    'a backup waits one hour and no longer',
    [job('p', 'prune', 200, gone), job('a', 'backup', 59), job('b', 'backup', 60)],
    { a: 'waits for p', b: 'goes' },
  ],
  [
    'a prune waits longer than an hour',
    [job('a', 'backup', 300, gone), job('p', 'prune', 200)],
    { p: 'waits for a' },
  ],
  [
    'what takes no lock never waits and holds nobody up',
    [
      job('p', 'prune', 9, gone),
      job('i', 'init', 5),
      job('t', 'probe', 4),
      job('d', 'forget', 3, { dryRun: true }),
    ],
    { i: 'goes', t: 'goes', d: 'goes' },
  ],
  [
    'a prune passes a test and a dry run at work',
    [job('t', 'probe', 5, gone), job('d', 'forget', 4, { ...gone, dryRun: true }), job('p', 'prune', 1)],
    { p: 'goes' },
  ],
  [
    'an unlock never waits, and an exclusive job waits for it',
    [job('u', 'unlock', 5), job('p', 'prune', 1)],
    { u: 'goes', p: 'waits for u' },
  ],
  [
    'a job whose time has not come is not in the line yet',
    [job('r', 'prune', -5, { ripe: false }), job('a', 'backup', 1)],
    { a: 'goes' },
  ],
  [
    'a retry stands where its time puts it, not where it was made',
    [job('p', 'prune', 2), job('a', 'backup', 1)],
    { p: 'goes', a: 'waits for p' },
  ],
])('%s', (_, line, expected) => {
  expect(decide(...line)).toEqual(expected)
  expect(decide(...line.toReversed())).toEqual(expected)
})

describe('whatever the line', () => {
  const kinds: JobKind[] = ['backup', 'prune', 'check', 'forget', 'probe', 'unlock']
  const lines = function* (length: number): Generator<LineJob[]> {
    if (length === 0) return yield []
    for (const rest of lines(length - 1))
      for (const kind of kinds)
        for (const held of [true, false]) yield [...rest, job(`j${length}`, kind, 30 - length, { held })]
  }
  const isExclusive = (each: LineJob) => ['prune', 'check', 'forget'].includes(each.kind)
  const isShared = (each: LineJob) => each.kind === 'backup'

  test('nothing exclusive is let go beside anything else, and somebody always goes when nobody is at work', () => {
    for (const line of lines(4)) {
      const { release, wait } = decideLine(line, { now, maintenanceWait: hour })
      const atWork = line.filter(each => !each.held || release.includes(each.id))
      const locking = atWork.filter(each => isExclusive(each) || isShared(each))
      const released = line.filter(each => release.includes(each.id))
      if (released.some(isExclusive)) expect(locking).toHaveLength(1)
      if (released.some(isShared)) expect(locking.some(isExclusive)).toBe(false)
      if (line.length > 0) expect(atWork).not.toHaveLength(0)
      for (const { id, waitsFor } of wait) expect(waitsFor).not.toBe(id)
      expect(release.length + wait.length).toBe(line.filter(each => each.held).length)
    }
  })
})
