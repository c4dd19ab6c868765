// Promises of what a line for new hosts allows, in words, and of how far each of several hosts has come.
import { expect, test } from 'vitest'
import { joinedState, lives, usualWish, wishComplaints, wishInShort } from './join-wish.ts'

test('a line is for one host within the hour, with the tags of whoever sees only some hosts', () => {
  expect(wishInShort(usualWish(null))).toBe('1 host · 1 hour · no tags · let in at once')
  expect(
    wishInShort({ ...usualWish(['berlin', 'lab']), maxUses: 12, lifeMinutes: 10_080, needsApproval: true }),
  ).toBe('12 hosts · 7 days · berlin, lab · waits for an admin')
})

test('what the server would refuse is said at its field', () => {
  expect(wishComplaints(usualWish(null))).toEqual({})
  expect(Object.keys(wishComplaints({ ...usualWish(null), maxUses: 0, tags: ['two words'] }))).toEqual([
    'maxUses',
    'tags',
  ])
  expect(lives.every(({ minutes }) => minutes >= 5 && minutes <= 7 * 24 * 60)).toBe(true)
})

test('a host is shown with the step it stands at', () => {
  const at = new Date('2026-11-23T10:00:00.000Z')
  const host = {
    ...{ id: '0192b7e4-0000-7000-8000-000000000002', name: 'atlas', redeemedAt: at, fingerprint: '3f2a' },
    ...{ provedAt: null, waitsSince: null, online: false, resticVersion: null, connectedAt: null },
  }
  const proved = { ...host, provedAt: at }
  const online = { ...proved, connectedAt: at, online: true }
  const stages = [
    { ...host, waitsSince: at },
    host,
    proved,
    online,
    { ...online, resticVersion: '0.18.0' },
    { ...online, online: false },
  ]
  expect(stages.map(stage => joinedState(stage).words)).toEqual([
    'waits for approval',
    'its agent has not started yet',
    'connects',
    'online, no restic found',
    'online, restic 0.18.0',
    'was here and is offline',
  ])
})
