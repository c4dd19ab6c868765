// What makes a schedule unacceptable, and what its slots' jobs are told: the same on both ends.
import { describe, expect, test } from 'vitest'
import { jobSpecs } from './command.ts'
import type { HostRules } from './policy-rule.ts'
import { optionsOf, type Schedule, type ScheduleDraft, ScheduleOptions, specOfSchedule } from './schedule.ts'
import {
  complaintsAboutPlaces,
  complaintsAboutSchedule,
  ScheduleComplaintCode,
} from './schedule-complaints.ts'

const id = (n: number) => `0192b7e4-0000-7000-8000-${String(n).padStart(12, '0')}`

const backup: ScheduleDraft = {
  name: 'Nightly',
  kind: 'backup',
  repositoryIds: [id(1)],
  cron: '30 2 * * *',
  timeZone: 'Europe/Berlin',
  paths: ['/etc'],
  enabled: true,
  manual: false,
  catchUp: 'once',
  overlap: 'skip',
  jitterSeconds: 600,
}
const { paths: _, ...without } = backup
const forget: ScheduleDraft = { ...without, kind: 'forget', retention: { daily: 7 }, forgets: [id(9)] }
const prune: ScheduleDraft = { ...without, kind: 'prune' }
const check: ScheduleDraft = { ...without, kind: 'check' }

describe('complaints', () => {
  test.each([backup, forget, prune, check])('there is none about a good $kind', draft => {
    expect(
      complaintsAboutSchedule(draft, { policy: { hooks: 'off' }, before: { kind: draft.kind } }),
    ).toEqual([])
  })

  const cases: [ScheduleComplaintCode, keyof ScheduleDraft, string, Partial<ScheduleDraft>][] = [
    ['missing_retention', 'retention', 'a forget without a rule', { ...forget, retention: {} }],
    ['missing_retention', 'retention', 'a forget without a policy', { ...forget, retention: undefined }],
    ['unsafe_retention', 'retention', 'a negative rule', { ...forget, retention: { last: -1 } }],
    ['unsafe_retention', 'retention', 'tags only', { ...forget, retention: { tags: ['keep'] } }],
    ['unsafe_retention', 'retention', 'no time at all', { ...forget, retention: { within: '0d' } }],
    ['missing_paths', 'paths', 'no path', { paths: [] }],
    ['missing_paths', 'paths', 'paths left out', { paths: undefined }],
    ['missing_repository', 'repositoryIds', 'no repository', { repositoryIds: [] }],
    ['missing_repository', 'repositoryIds', 'one repository twice', { repositoryIds: [id(1), id(1)] }],
    ['missing_targets', 'forgets', 'nothing to thin', { ...forget, forgets: [] }],
    ['invalid_cron', 'cron', 'six fields', { cron: '0 30 2 * * *' }],
    ['invalid_cron', 'cron', 'a day that never comes', { cron: '0 0 31 2 *' }],
    ['invalid_cron', 'cron', 'no cron although it is planned', { cron: undefined }],
    ['invalid_time_zone', 'timeZone', 'a zone that is none', { timeZone: 'Mars/Olympus' }],
    [
      'invalid_jitter',
      'jitterSeconds',
      'a spread of half the interval',
      { cron: '*/10 * * * *', jitterSeconds: 300 },
    ],
    // The night the clocks go forward is half an hour shorter for it: 02:30 comes at 03:00.
    [
      'invalid_jitter',
      'jitterSeconds',
      'a spread of half the shortest day',
      { jitterSeconds: 11.75 * 3_600 },
    ],
    ['invalid_options', 'options', 'an option of another kind', { ...prune, options: { readPercent: 5 } }],
    [
      'invalid_options',
      'options',
      'two limits of unused space',
      { ...prune, options: { maxUnusedPercent: 5, maxUnusedBytes: 1 } },
    ],
    [
      'invalid_options',
      'options',
      'two ways to read data',
      { ...check, options: { readPercent: 5, readRotation: 10 } },
    ],
    ['manual_with_cron', 'cron', 'a cron although it is manual', { manual: true }],
    ['hooks_not_allowed', 'preHook', 'a hook before a prune', { ...prune, preHook: { name: 'dump' } }],
    ['hooks_not_allowed', 'postHook', 'a hook after a forget', { ...forget, postHook: { name: 'dump' } }],
  ]
  test.each(cases)('%s at %s: %s', (code, field, _, change) => {
    const draft = { ...backup, ...change } as ScheduleDraft
    expect(complaintsAboutSchedule(draft)).toEqual([{ code, field, message: expect.stringMatching(/\.$/) }])
  })

  test('hooks go as far as the policy of the host, and are not judged before it is known', () => {
    const named = { ...backup, preHook: { name: 'dump-database' } }
    const inline = { ...backup, postHook: { script: 'echo done' } }
    const codes = (draft: ScheduleDraft, hooks?: 'off' | 'listed' | 'inline') =>
      complaintsAboutSchedule(draft, hooks === undefined ? {} : { policy: { hooks } }).map(({ code }) => code)
    expect([codes(named, 'off'), codes(named, 'listed'), codes(named, 'inline'), codes(named)]).toEqual([
      ['hooks_not_allowed'],
      [],
      [],
      [],
    ])
    expect([codes(inline, 'off'), codes(inline, 'listed'), codes(inline, 'inline'), codes(inline)]).toEqual([
      ['hooks_not_allowed'],
      ['hooks_not_allowed'],
      [],
      [],
    ])
  })

  const places: [ScheduleComplaintCode, keyof ScheduleDraft, RegExp, HostRules][] = [
    ['repository_not_allowed', 'repositoryIds', /^vault: .*"repositories"/, { repositories: ['/srv/**'] }],
    ['environment_not_allowed', 'repositoryIds', /^vault: .*"environment"/, { environment: [] }],
    ['bandwidth_not_allowed', 'options', /at most 99 KiB\/s for upload/, { uploadKibps: 99 }],
    ['policy_not_followed', 'repositoryIds', /^vault: .*It is no JSON\./, { problem: 'It is no JSON.' }],
  ]
  const access = { url: 'rest:https://h/', environment: { RESTIC_CACERT: '/ca.pem' }, hasCredential: true }
  const slow = { ...backup, options: { uploadKibps: 100 } }
  test.each(places)('%s at %s where the policy of the host forbids it', (code, field, words, rules) => {
    const message = expect.stringMatching(words)
    expect(complaintsAboutPlaces(slow, { rules, places: [{ name: 'vault', access, rules }] })).toEqual([
      { code, field, message },
    ])
  })

  test('of maintenance the policy counts that holds where it runs, and that host is named', () => {
    const rules = { repositories: [] }
    const at = { name: 'vault', access, rules, host: 'keeper' }
    expect(complaintsAboutPlaces(prune, { rules: { repositories: ['**'] }, places: [at] })).toMatchObject([
      { message: expect.stringMatching(/^vault, maintained by keeper: /) },
    ])
    expect(complaintsAboutPlaces(prune, { rules, places: [{ ...at, rules: undefined }] })).toEqual([])
  })

  test('an agent takes a schedule that asks for more than the limit of its host: it keeps to the limit', () => {
    expect(complaintsAboutSchedule(slow, { policy: { uploadKibps: 1 } })).toEqual([])
  })

  test('the kind of a schedule stays what it was', () => {
    expect(complaintsAboutSchedule(prune, { before: { kind: 'backup' } })).toMatchObject([
      { code: 'kind_is_immutable', field: 'kind' },
    ])
  })

  test('several things wrong are all said at once', () => {
    const codes = complaintsAboutSchedule({ ...backup, cron: 'never', paths: [], repositoryIds: [] }).map(
      ({ code }) => code,
    )
    expect(codes).toEqual(['invalid_cron', 'missing_repository', 'missing_paths'])
  })

  test('every stable code but the one of an older agent is shown here', () => {
    const shown = new Set<string>(['kind_is_immutable', ...[...cases, ...places].map(([code]) => code)])
    expect(ScheduleComplaintCode.options.filter(code => !shown.has(code))).toEqual(['unsupported'])
  })
})

test('a manual schedule has no cron and is judged by its work alone', () => {
  const { cron: _, ...manual } = { ...backup, manual: true }
  expect(complaintsAboutSchedule(manual)).toEqual([])
})

describe('the spec of a slot', () => {
  const schedule = (draft: ScheduleDraft): Schedule => ({ id: id(7), ...draft })

  test.each([
    [
      schedule({
        ...backup,
        excludes: ['*.tmp'],
        tags: ['nightly'],
        options: { oneFileSystem: true },
        preHook: { name: 'dump' },
        postHook: { name: 'report' },
        timeoutMinutes: 90,
      }),
      {
        paths: ['/etc'],
        excludes: ['*.tmp'],
        tags: ['nightly'],
        options: { oneFileSystem: true },
        preHook: { name: 'dump' },
        postHook: { name: 'report' },
        timeoutMinutes: 90,
      },
    ],
    [schedule(backup), { paths: ['/etc'] }],
    [
      schedule({ ...forget, forgets: [id(9), id(8)] }),
      {
        retention: { daily: 7 },
        dryRun: false,
        targets: [
          { hostId: id(5), scheduleId: id(9) },
          { hostId: id(5), scheduleId: id(8) },
        ],
      },
    ],
    [schedule({ ...prune, options: { maxUnusedPercent: 10 } }), { maxUnusedPercent: 10 }],
    [schedule(check), {}],
    [schedule({ ...check, options: { readPercent: 2.5 } }), { readPercent: 2.5 }],
    [schedule({ ...check, options: { readRotation: 12 } }), { readPart: { part: 3, of: 12 } }],
    // The rotation was made shorter since the last part.
    [schedule({ ...check, options: { readRotation: 2 } }), { readPart: { part: 2, of: 2 } }],
  ])('%#: says everything the schedule says, and nothing else', (given, spec) => {
    const told = specOfSchedule(given, { hostId: id(5), part: 3 })
    expect(told).toEqual(spec)
    expect(jobSpecs[given.kind].parse(told)).toEqual(spec)
  })
})

test('every option belongs to a kind, and no two kinds share one', () => {
  const all = Object.values(optionsOf).flat()
  expect(all.toSorted()).toEqual(Object.keys(ScheduleOptions.shape).toSorted())
  expect(new Set(all).size).toBe(all.length)
})
