// Promises of the steps a new host goes through.
import type { EnrolmentView } from '@restic-manager/contract/enrolment'
import { expect, test } from 'vitest'
import { isForThisMachine, joinLine, joinProgress } from './join-progress.ts'

const at = new Date('2026-11-23T10:00:00.000Z')
const later = new Date('2026-11-23T10:05:00.000Z')
const enrolment: EnrolmentView = {
  id: '0192b7e4-0000-7000-8000-000000000001',
  createdAt: at,
  createdBy: 'noor@example.com',
  expiresAt: new Date('2026-11-23T11:00:00.000Z'),
  maxUses: 1,
  usesLeft: 1,
  needsApproval: false,
  revokedAt: null,
  refusedCount: 0,
  lastRefusedAt: null,
  hosts: [],
}
const host = {
  id: '0192b7e4-0000-7000-8000-000000000002',
  name: 'atlas',
  redeemedAt: at,
  provedAt: null,
  waitsSince: null,
  fingerprint: '3f2a 91bc 0d77 e612 88a0 4c1d 97fe 2b35',
  online: false,
  resticVersion: null,
  connectedAt: null,
}
const now = (view: EnrolmentView, plan?: { configVersion: number; appliedConfigVersion: number }) =>
  joinProgress(view, plan, 'https://backup.example.com', later)
const waitingAt = (view: EnrolmentView) => now(view).steps.findIndex(step => step.state === 'now')

test('waits at the first step that has not happened', () => {
  expect(waitingAt(enrolment)).toBe(1)
  expect(waitingAt({ ...enrolment, hosts: [host] })).toBe(2)
  expect(waitingAt({ ...enrolment, hosts: [{ ...host, provedAt: at }] })).toBe(3)
  expect(waitingAt({ ...enrolment, hosts: [{ ...host, provedAt: at, connectedAt: at, online: true }] })).toBe(
    4,
  )
})

test('a token that asks for approval adds a step, which is waited at until somebody lets the host in', () => {
  const asking = { ...enrolment, needsApproval: true }
  expect(now(asking).steps).toHaveLength(now(enrolment).steps.length + 1)
  expect(waitingAt({ ...asking, hosts: [{ ...host, waitsSince: at }] })).toBe(2)
  expect(now({ ...asking, hosts: [{ ...host, waitsSince: at }] }).stuck).toBeUndefined()
  expect(waitingAt({ ...asking, hosts: [host] })).toBe(3)
})

test('is ready only when restic is there and the configuration applied', () => {
  const connected = {
    ...enrolment,
    hosts: [{ ...host, provedAt: at, connectedAt: at, online: true, resticVersion: '0.18.0' }],
  }
  expect(now(connected, { configVersion: 2, appliedConfigVersion: 1 }).ready).toBe(false)
  expect(now(connected, { configVersion: 2, appliedConfigVersion: 2 })).toMatchObject({
    ready: true,
    stuck: undefined,
  })
})

test('an expired or revoked token says so instead of asking for patience', () => {
  expect(now({ ...enrolment, expiresAt: at }).stuck?.title).toContain('expired')
  expect(now({ ...enrolment, revokedAt: at }).stuck?.title).toContain('revoked')
})

test('the line carries the pin of a private authority, and none otherwise', () => {
  expect(joinLine('https://b.example.com', 'rmj_x', 'sha256:ab')).toContain(
    '--token rmj_x --ca-pin sha256:ab &&',
  )
  expect(joinLine('https://b.example.com', 'rmj_x')).not.toContain('--ca-pin')
})

test('the line holds the server and the token', () => {
  expect(joinLine('https://b.example.com', 'rmj_x')).toContain(
    'enrol --server https://b.example.com --token rmj_x',
  )
})

test('an address that only the server itself reaches is told from one that others reach', () => {
  for (const url of ['http://127.0.0.1:8470', 'http://localhost:8470', 'http://[::1]:8470'])
    expect(isForThisMachine(url)).toBe(true)
  for (const url of ['https://b.example.com', 'http://10.0.0.7:8470', 'https://localhost.example.com'])
    expect(isForThisMachine(url)).toBe(false)
})
