// Promises of what is told of a job beside its status.
import { expect, test } from 'vitest'
import { asidesOf, momentOf, nameOfKind, waitsInWords } from './job-story.ts'

const plain = {
  status: 'succeeded',
  kind: 'backup',
  waitsFor: null,
  attempt: 0,
  decidedBy: 'server',
  forHostName: null,
  notBefore: null,
} as const

test('an ordinary job has nothing beside it', () => {
  expect(asidesOf(plain)).toEqual([])
})

test('a retry says which, an offline run says so, a job for another host names it', () => {
  expect(asidesOf({ ...plain, attempt: 2, forHostName: 'atlas' })).toEqual(['retry 2', 'for atlas'])
  expect(asidesOf({ ...plain, decidedBy: 'agent' })).toEqual(['ran without the server'])
  expect(asidesOf({ ...plain, decidedBy: 'agent', status: 'running' })[0]).toBe('runs without the server')
})

test('a queued job says what it waits for, one that runs does not', () => {
  const waitsFor = { jobId: 'j', kind: 'prune', hostName: 'keeper' } as const
  expect(waitsInWords({ status: 'queued', waitsFor })).toBe('waiting for prune of keeper')
  expect(waitsInWords({ status: 'running', waitsFor })).toBeUndefined()
  expect(waitsInWords({ status: 'queued', waitsFor: null })).toBeUndefined()
})

test('a job that never started stands at its slot', () => {
  const [createdAt, scheduledFor] = [new Date(3), new Date(2)]
  expect(momentOf({ startedAt: null, scheduledFor, createdAt })).toBe(scheduledFor)
  expect(momentOf({ startedAt: new Date(1), scheduledFor, createdAt })).toEqual(new Date(1))
  expect(momentOf({ startedAt: null, scheduledFor: null, createdAt })).toBe(createdAt)
})

test('a preview is not called a forget', () => {
  expect(nameOfKind({ kind: 'forget', dryRun: true })).toBe('Preview of forget')
  expect(nameOfKind({ kind: 'forget', dryRun: false })).toBe('Forget')
  expect(nameOfKind({ kind: 'backup', dryRun: false })).toBe('Backup')
})
