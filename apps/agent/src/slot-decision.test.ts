// The decision about a slot, case by case: what is known on the left, what is done on the right.
import { timing } from '@restic-manager/contract/timing'
import { expect, test } from 'vitest'
import { decideSlot, mayRunAlone, type HostKnown, type SlotKnown } from './slot-decision.ts'

const minute = 60_000
const slotAt = Date.parse('2026-06-10T12:00:00Z')
const alone = { repositoryId: 'a', mayRunAlone: true }
const asks = { repositoryId: 'b', mayRunAlone: false }

const due: SlotKnown = {
  ...{ state: 'armed', slot: slotAt, fireAt: slotAt + minute, waitedMs: 0, isNewest: true, open: [alone] },
  ...{ stopped: undefined, catchUp: 'once', overlap: 'skip', busy: 0 },
}
const here: HostKnown = {
  ...{ now: slotAt + minute, linkDownMs: undefined, hasWoken: false, trustedThrough: Infinity, timing },
}
const asked = { state: 'asked' } as const
const answered = { state: 'answered' } as const
const late = { now: slotAt + 6 * minute + 1 }
const old = { isNewest: false }
const wait = (ms?: number) => (ms === undefined ? { do: 'wait' } : { do: 'wait', ms })
const missed = { do: 'notRun', outcome: 'missed', reason: 'host_was_off' }
const skipped = (reason: string) => ({ do: 'notRun', outcome: 'skipped', reason })
const runAlone = (ask = false) => ({ do: 'runAlone', repositoryIds: ['a'], ask })
const giveUp = { do: 'giveUp', repositoryIds: ['a'], reason: 'host_was_off' }

type Case = [promise: string, slot: Partial<SlotKnown>, host: Partial<HostKnown>, decision: object]
const cases: Case[] = [
  ['nothing is open: it is over', { open: [] }, {}, { do: 'settle' }],
  ['its spread has not passed: it waits', {}, { now: slotAt }, wait(minute)],
  ['the clock was set back: it waits for its time', {}, { now: slotAt - minute }, wait(2 * minute)],
  ['due with a link: the server is asked', {}, {}, { do: 'ask' }],
  ['due with a link just lost: the server is asked', {}, { linkDownMs: 9_999 }, { do: 'ask' }],
  ['due without a link: it runs alone', {}, { linkDownMs: 10_000 }, runAlone()],
  ['due without a link, needs the server: it is asked', { open: [asks] }, { linkDownMs: 1e9 }, { do: 'ask' }],
  [
    'due without a link, half needs the server: both',
    { open: [alone, asks] },
    { linkDownMs: 1e9 },
    runAlone(true),
  ],
  ['exactly as late as is allowed: it fires', {}, { now: slotAt + 6 * minute }, { do: 'ask' }],
  ['late and newest: it is caught up', {}, late, { do: 'ask' }],
  ['late and newest without a link: it is caught up alone', {}, { ...late, linkDownMs: 1e9 }, runAlone()],
  ['late and not the newest: missed', old, late, missed],
  ['late, and nothing is caught up: missed', { catchUp: 'none' }, late, missed],
  ['late by a clock nobody trusts: it waits', old, { ...late, trustedThrough: slotAt - 1 }, wait()],
  ['late up to where the clock is trusted: missed', old, { ...late, trustedThrough: slotAt }, missed],
  ['the last run goes on: skipped', { busy: 1 }, {}, skipped('overlap')],
  ['the last run goes on: queued once', { busy: 1, overlap: 'queue' }, {}, { do: 'ask' }],
  ['one is queued already: skipped', { busy: 2, overlap: 'queue' }, {}, skipped('overlap')],
  ['caught up while the last run goes on: skipped', { busy: 1 }, late, skipped('overlap')],
  ['its schedule was deleted: skipped', { stopped: 'schedule_deleted' }, {}, skipped('schedule_deleted')],
  [
    'its schedule was paused before its time: skipped',
    { stopped: 'schedule_paused' },
    { now: slotAt },
    skipped('schedule_paused'),
  ],
  ['asked: it waits for the answer', { ...asked, waitedMs: 4_000 }, {}, wait(6_000)],
  [
    'asked, the link lost since: it waits as long',
    { ...asked, waitedMs: 4_000 },
    { linkDownMs: 1e9 },
    wait(6_000),
  ],
  ['asked for long enough: it runs alone', { ...asked, waitedMs: 10_000 }, {}, runAlone()],
  [
    'asked for long enough, half needs the server: the rest waits on',
    { ...asked, waitedMs: 10_000, open: [alone, asks] },
    {},
    runAlone(true),
  ],
  [
    'asked, needs the server: it waits for ever',
    { ...asked, waitedMs: 1e12, open: [asks] },
    { linkDownMs: 1e12 },
    wait(),
  ],
  [
    'asked, its schedule deleted since: it goes on',
    { ...asked, waitedMs: 10_000, stopped: 'schedule_deleted' },
    {},
    runAlone(),
  ],
  [
    'asked, late because nobody answered: it runs alone',
    { ...asked, ...old, waitedMs: 1e9 },
    late,
    runAlone(),
  ],
  ['asked, woken too late: it ends without a run', { ...asked, ...old }, { ...late, hasWoken: true }, giveUp],
  [
    'asked, woken late, newest: it waits on',
    { ...asked, waitedMs: 1 },
    { ...late, hasWoken: true },
    wait(9_999),
  ],
  ['asked, woken in time: it waits on', { ...asked, ...old }, { hasWoken: true }, wait(10_000)],
  ['answered: the order has an hour', { ...answered, waitedMs: minute }, {}, wait(59 * minute)],
  [
    'answered, no link: the order has a minute',
    { ...answered, waitedMs: minute },
    { linkDownMs: 20_000 },
    wait(40_000),
  ],
  ['answered, no link for a minute: it runs alone', answered, { linkDownMs: minute }, runAlone()],
  ['answered an hour ago: it runs alone', { ...answered, waitedMs: 60 * minute }, {}, runAlone()],
  [
    'answered, an hour nearly over, no link: whichever is first',
    { ...answered, waitedMs: 60 * minute - 5 },
    { linkDownMs: 1 },
    wait(5),
  ],
  [
    'answered, needs the server: it waits for ever',
    { ...answered, waitedMs: 1e12, open: [asks] },
    { linkDownMs: 1e12, hasWoken: true, ...late },
    wait(),
  ],
  [
    'answered, woken too late: it ends without a run',
    { ...answered, catchUp: 'none' },
    { ...late, hasWoken: true },
    giveUp,
  ],
]
test.for(cases)('%s', ([, slot, host, decision]) => {
  expect(decideSlot({ ...due, ...slot }, { ...here, ...host })).toEqual(decision)
})

test('only backups, and forgets where this host may delete, run without the server', () => {
  for (const state of ['armed', 'asked', 'answered'] as const) {
    expect(mayRunAlone('backup', undefined, state)).toBe(true)
    expect(mayRunAlone('forget', { mayDelete: true }, state)).toBe(state !== 'answered')
    expect(mayRunAlone('forget', { mayDelete: false }, state)).toBe(false)
    expect(mayRunAlone('forget', undefined, state)).toBe(false)
    for (const kind of ['prune', 'check'] as const)
      expect(mayRunAlone(kind, { mayDelete: true }, state)).toBe(false)
  }
})
