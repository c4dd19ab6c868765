// Promises of how a schedule is told.
import type { ScheduleDraft } from '@restic-manager/contract/schedule'
import { describe, expect, test } from 'vitest'
import {
  type Known,
  plainText,
  runsOn,
  scheduleInWords,
  secondsInWords,
  whatInShort,
  whenInShort,
} from './schedule-words.ts'

const atlas = { id: 'a', name: 'atlas' }
const keeper = { id: 'k', name: 'keeper' }
const nas = { name: 'NAS', mayDelete: true, maintenanceHost: null }
const cloud = { name: 'Cloud', mayDelete: false, maintenanceHost: keeper }

const backup: ScheduleDraft = {
  name: 'Photos',
  kind: 'backup',
  repositoryIds: ['1', '2'],
  cron: '30 2 * * *',
  timeZone: 'Europe/Berlin',
  paths: ['/etc', '/home', '/srv'],
  enabled: true,
  manual: false,
  catchUp: 'once',
  overlap: 'skip',
  jitterSeconds: 1_200,
}
const known: Known = { host: atlas, repositories: [nas, cloud], forgets: ['Photos'] }
const say = (over: Partial<ScheduleDraft>, knows: Partial<Known> = {}) =>
  plainText(scheduleInWords({ ...backup, ...over }, { ...known, ...knows }))

describe('a schedule in words', () => {
  test('says when, who, what, where and what becomes of missed slots', () => {
    expect(say({})).toBe(
      'Every day at 02:30 (Europe/Berlin), atlas backs up /etc and 2 more folders to NAS and Cloud, started within 20 min to spread the load. If the host slept, the newest missed slot is caught up once.',
    )
  })
  test('says that a manual one waits for a hand, and nothing of slots', () => {
    expect(say({ manual: true, cron: undefined, paths: ['/etc'] }, { repositories: [nas] })).toBe(
      'Only when somebody presses Run now, atlas backs up /etc to NAS.',
    )
  })
  test('says who forgets where the host may only append', () => {
    expect(
      say(
        { kind: 'forget', retention: { daily: 7 }, jitterSeconds: 0, catchUp: 'none' },
        { repositories: [cloud] },
      ),
    ).toBe(
      'Every day at 02:30 (Europe/Berlin), of the snapshots of Photos in Cloud, 7 daily stay and the others go. It runs on keeper, the maintenance host. Slots the host slept through are left out.',
    )
  })
  test('says of a single snapshot that it stays', () => {
    expect(say({ kind: 'forget', retention: { last: 1 }, jitterSeconds: 0 })).toContain(
      ', the newest stays and the others go.',
    )
  })
  test('says where nothing will happen', () => {
    expect(say({ kind: 'prune', jitterSeconds: 0 })).toContain(
      'In NAS nothing happens: there is no maintenance host.',
    )
  })
  test('says what is still open, and that it is paused', () => {
    expect(say({ paths: [], cron: '', enabled: false }, { repositories: [] })).toBe(
      'At a time you choose, atlas backs up folders you choose to a repository you choose, started within 20 min to spread the load. If the host slept, the newest missed slot is caught up once. It is paused: no slot runs until it is resumed.',
    )
  })
})

test('each kind runs where the credential for it is', () => {
  expect([
    runsOn('backup', atlas, cloud),
    runsOn('forget', atlas, nas),
    runsOn('forget', atlas, cloud),
    runsOn('prune', atlas, nas),
    runsOn('check', atlas, nas),
    runsOn('check', atlas, cloud),
  ]).toEqual([atlas, atlas, keeper, null, atlas, keeper])
})

test('rows say it in short', () => {
  expect([whenInShort(backup), whenInShort({ manual: true })]).toEqual([
    'every day at 02:30',
    'only by Run now',
  ])
  expect([
    whatInShort(backup),
    whatInShort({ ...backup, kind: 'check', options: { readRotation: 12 } }),
    whatInShort({ ...backup, kind: 'forget', retention: { last: 3 } }),
  ]).toEqual(['backup, 3 folders', 'check, everything in 12 runs', 'forget, keeps the newest 3'])
})

test('seconds are said as people say them', () => {
  expect([45, 900, 3_600, 5_400].map(secondsInWords)).toEqual(['45 s', '15 min', '1 h', '1 h 30 min'])
})
