import { describe, expect, test } from 'vitest'
import {
  EndStatus,
  JobFinished,
  JobStatus,
  nextStatuses,
  provisionalStatuses,
  statusesBefore,
} from './job.ts'
import { hasEnded } from './job-ended.ts'

describe('the status table', () => {
  test('what an agent reported as the end is final', () => {
    for (const status of EndStatus.options) expect(nextStatuses[status]).toEqual([])
  })

  test('whatever the server only inferred gives way to every fact an agent can tell', () => {
    const guesses = provisionalStatuses.filter(status => status !== 'cancelled')
    for (const guess of guesses)
      expect(nextStatuses[guess]).toEqual(
        expect.arrayContaining(['accepted', 'running', ...EndStatus.options]),
      )
  })

  test('an end can come from every status that is not itself a reported end', () => {
    for (const end of EndStatus.options)
      expect(statusesBefore(end).toSorted()).toEqual(
        JobStatus.options.filter(status => !EndStatus.options.includes(status as EndStatus)).toSorted(),
      )
  })

  test('no status can be followed by queued: a retry is a new job', () => {
    expect(statusesBefore('queued')).toEqual(['skipped', 'missed'])
  })

  test('queued, accepted and running are the only statuses that have not ended', () => {
    expect(JobStatus.options.filter(status => !hasEnded(status))).toEqual(['queued', 'accepted', 'running'])
  })
})

describe('job.finished', () => {
  const finished = {
    lane: 'rest',
    seq: 4,
    occurredAt: '2026-11-23T07:12:56.534Z',
    jobId: '0192b7e4-0000-7000-8000-000000000001',
    kind: 'backup',
    repositoryId: '0192b7e4-0000-7000-8000-000000000002',
    status: 'succeeded',
    finishedAt: '2026-11-23T07:12:56.534Z',
    warnings: [],
    lastLogSeq: -1,
  }

  test('keys a newer agent adds are ignored', () => {
    expect(JobFinished.parse({ ...finished, mood: 'good' })).toEqual(finished)
  })

  test.each([
    'lane',
    'seq',
    'occurredAt',
    'jobId',
    'kind',
    'repositoryId',
    'status',
    'finishedAt',
    'warnings',
    'lastLogSeq',
  ])('is refused without %s', field => {
    const { [field as keyof typeof finished]: _, ...rest } = finished
    expect(JobFinished.safeParse(rest).success).toBe(false)
  })

  test('an instant without milliseconds, with an offset, or that no database keeps is refused', () => {
    for (const finishedAt of [
      '2026-11-23T07:12:56Z',
      '2026-11-23T07:12:56.534+01:00',
      '0000-01-01T00:00:00.000Z',
    ])
      expect(JobFinished.safeParse({ ...finished, finishedAt }).success).toBe(false)
  })

  test.each([
    ['a NUL', { note: 'a\0b' }],
    ['half a character', { deep: [{ name: '\ud800' }] }],
    ['a name with a NUL', { deep: { 'a\0': 1 } }],
  ])('a summary with %s is refused: no database keeps it', (_, stats) => {
    expect(JobFinished.safeParse({ ...finished, stats }).success).toBe(false)
  })

  test('a summary of restic comes through as it is', () => {
    const stats = { files_new: 7, snapshot_id: 'b2d5', nested: { list: ['ü', '\\u0000', null, 0.5] } }
    expect(JobFinished.parse({ ...finished, stats }).stats).toEqual(stats)
  })
})
