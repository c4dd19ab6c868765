// Promises of the schedule editor's draft.
import { ScheduleDraft } from '@restic-manager/contract/schedule'
import { complaintsAboutSchedule } from '@restic-manager/contract/schedule-complaints'
import type { ScheduleView } from '@restic-manager/contract/views'
import { describe, expect, test } from 'vitest'
import {
  changesBetween,
  complaintsAboutDraft,
  newSchedule,
  rebaseDraft,
  tidySchedule,
} from './schedule-draft.ts'

const host = {
  id: '019385a0-0000-7000-8000-000000000001',
  os: 'linux',
  timeZone: 'Europe/Berlin',
  policy: null,
  suggestedBackup: null,
}
const disk = { id: '019385a0-0000-7000-8000-00000000000a', mayDelete: true }
const vault = { id: '019385a0-0000-7000-8000-00000000000b', mayDelete: false }
const fresh = (repositories = [disk], schedules: ScheduleView[] = []) =>
  newSchedule('backup', host, { repositories, schedules })
const saved = (schedule: ScheduleDraft) =>
  ({ id: '019385a0-0000-7000-8000-0000000000aa', schedule }) as unknown as ScheduleView

describe('a new schedule', () => {
  test('of every kind can be saved as it is', () => {
    const schedules = [saved(fresh([disk, vault]))]
    for (const kind of ['backup', 'forget', 'prune', 'check'] as const) {
      const draft = tidySchedule(newSchedule(kind, host, { repositories: [disk, vault], schedules }))
      expect(complaintsAboutSchedule(draft)).toEqual([])
      expect(ScheduleDraft.safeParse(draft).error).toBeUndefined()
    }
  })
  test('takes over what the last backup read', () => {
    const suggestedBackup = { repositoryId: vault.id, paths: ['/srv'], excludes: ['*.iso'] }
    expect(
      newSchedule('backup', { ...host, suggestedBackup }, { repositories: [disk, vault], schedules: [] }),
    ).toMatchObject({ repositoryIds: [vault.id], paths: ['/srv'], excludes: ['*.iso'] })
  })
  test('keeps by age where its repository only appends', () => {
    const schedules = [saved({ ...fresh(), repositoryIds: [vault.id] })]
    const forget = newSchedule('forget', host, { repositories: [disk, vault], schedules })
    expect(forget).toMatchObject({ repositoryIds: [vault.id], retention: { withinDaily: '7d' } })
  })
  test('gets a name that is still free', () => {
    expect(fresh([disk], [saved(fresh()), saved({ ...fresh(), name: 'Backup 2' })]).name).toBe('Backup 3')
  })
})

describe('complaints', () => {
  test('stand at their fields, in whole sentences', () => {
    const complaints = complaintsAboutDraft({
      ...fresh(),
      name: ' ',
      cron: '99 * * * *',
      paths: ['etc'],
      tags: ['a,b'],
      repositoryIds: [],
      options: { uploadKibps: 0 },
    })
    expect(complaints).toMatchObject({
      name: 'Give the schedule a name.',
      cron: expect.stringContaining('cannot be read'),
      paths: expect.stringMatching(/^etc must be an absolute path/),
      tags: 'a,b must not contain a comma.',
      repositoryIds: expect.stringContaining('at least one repository'),
      'options.uploadKibps': expect.any(String),
    })
  })
  test('name what the host does not allow', () => {
    const draft = { ...fresh(), preHook: { script: 'true' } }
    expect(complaintsAboutDraft(draft, { policy: { hooks: 'off' } })['preHook']).toContain('no hooks')
    expect(complaintsAboutDraft(draft, { policy: { hooks: 'inline' } })['preHook']).toBeUndefined()
  })
  test('are none of what is not sent', () => {
    expect(complaintsAboutDraft({ ...fresh(), manual: true, retention: { last: -1 }, tags: [] })).toEqual({})
  })
})

test('only what was really changed counts as a change', () => {
  const before = fresh()
  expect(changesBetween(before, { ...before, name: `${before.name} `, tags: [], options: {} })).toEqual([])
  expect(
    changesBetween(
      { ...before, retry: { count: 2, delaySeconds: 600 } },
      { ...before, retry: { delaySeconds: 600, count: 2 }, manual: true },
    ),
  ).toEqual(['time', 'planned or manual'])
})

test('what somebody typed stays on top of what another saved meanwhile, and nothing else of the old version does', () => {
  const base = fresh()
  const theirs = { ...base, name: 'Theirs', cron: '5 3 * * 0', jitterSeconds: 60 }
  expect(rebaseDraft(base, theirs, { ...base, name: 'Mine', tags: ['gold'] })).toEqual({
    ...theirs,
    name: 'Mine',
    tags: ['gold'],
  })
  const manual = rebaseDraft(base, theirs, { ...base, manual: true, cron: undefined })
  expect(tidySchedule(manual)).toEqual(tidySchedule({ ...theirs, manual: true }))
})
