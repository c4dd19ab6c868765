// What the log of events of a host tells.
import type { AlertView } from '@restic-manager/contract/alerts'
import type { AuditEventView } from '@restic-manager/contract/audit'
import { expect, test } from 'vitest'
import { hostEvents } from './host-events.ts'

const at = (hour: number) => new Date(Date.UTC(2026, 5, 1, hour))
const alert = {
  ...{ id: 'a', kind: 'backup_failed', severity: 'red', sentence: 'The password is wrong.', jobId: 'j' },
  ...{ since: at(1), clearedAt: at(3) },
} as AlertView
const act = {
  ...{ id: '7', at: at(2), actorName: 'ada@example.org', action: 'hosts.pause' },
  ...{ targetKind: 'host', targetName: 'atlas' },
} as AuditEventView

test('what went wrong, what was done and what was cleared stand in one order, newest first', () => {
  const events = hostEvents([alert], [act], 12)
  expect(events.map(({ word, sentence }) => `${word}: ${sentence}`)).toEqual([
    'Cleared: Failed: The password is wrong.',
    'Paused: by ada@example.org',
    'Failed: The password is wrong.',
  ])
  expect(hostEvents([alert], [act], 1)).toHaveLength(1)
})
