// When an agent dials again, and what it takes for a refusal.
import { timing } from '@restic-manager/contract/timing'
import { expect, test } from 'vitest'
import { TurnedAway } from './link.ts'
import { PlainAnswer } from './plain-call.ts'
import { isRefusal, isUntrusted, planRedials, type DialEnd } from './redial.ts'
import { StateUnusable } from './state.ts'

const gone: DialEnd = { heldMs: 0, isRestart: false }
const busy = (retryAfter?: string): DialEnd => ({
  ...gone,
  error: new TurnedAway(503, 'The server is busy.', retryAfter),
})
/** What the client throws when a plain call is turned away. */
const busyCall = (retryAfter: string): DialEnd => ({
  ...gone,
  error: Object.assign(new Error('busy'), {
    meta: { response: new PlainAnswer(503, { 'retry-after': retryAfter }, '') },
  }),
})
const always = (chance: number) => planRedials(timing, () => chance)

test('links that do not last are dialled ever more slowly, and soon only after one that was stable for a minute (row 4)', () => {
  const waitAfter = always(1)
  const flaps = Array.from({ length: 9 }, () => waitAfter({ ...gone, heldMs: 59_999 }))
  expect(flaps).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  expect(waitAfter({ ...gone, heldMs: 60_000 })).toBe(1_000)
})

test('a server that restarts is dialled again within one to three seconds (row 6)', () => {
  for (const [chance, waits] of [
    [0, 1_000],
    [1, 3_000],
  ] as const) {
    const waitAfter = always(chance)
    for (let count = 0; count < 10; count += 1)
      expect(waitAfter({ heldMs: 60_000, isRestart: true })).toBe(waits)
  }
})

test('a server that sends its agents away again and again is dialled ever more slowly, never within a second, until a link was stable (row 4)', () => {
  const waitAfter = always(1)
  const sentAway = { heldMs: 5, isRestart: true }
  const waits = Array.from({ length: 8 }, () => waitAfter(sentAway))
  expect(waits).toEqual([3_000, 3_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  expect(waitAfter({ ...sentAway, heldMs: 60_000 })).toBe(3_000)
  const soonest = always(0)
  for (let count = 0; count < 8; count += 1) expect(soonest(sentAway)).toBe(1_000)
})

test('a busy server is left alone for as long as it asks, with a spread, and patience is not lost over it', () => {
  for (const end of [busy('7'), busyCall('7')]) {
    expect([always(0)(end), always(1)(end)]).toEqual([7_000, 14_000])
    const waitAfter = always(1)
    for (let count = 0; count < 5; count += 1) waitAfter(end)
    expect(waitAfter(gone)).toBe(1_000)
  }
  expect(always(0)(busy('99999999'))).toBe(600_000)
})

test('a busy server that asks for nothing, or for nonsense, gets the usual back-off', () => {
  for (const asked of [undefined, '', 'Wed, 21 Oct 2026 07:28:00 GMT', '-5']) {
    const waitAfter = always(1)
    expect([waitAfter(busy(asked)), waitAfter(busy(asked))]).toEqual([1_000, 2_000])
  }
})

test('who is refused, or cannot trust the other end, is in no hurry', () => {
  const expired = Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' })
  const wrongName = Object.assign(new Error('no'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  const nested = new Error('no', { cause: new TypeError('no', { cause: expired }) })
  const errors = [new TurnedAway(403, 'out'), nested, wrongName, new StateUnusable('damaged')]
  for (const error of errors) {
    expect(isRefusal(error)).toBe(true)
    expect(always(0)({ ...gone, error })).toBe(30_000)
  }
  expect(errors.map(isUntrusted)).toEqual([false, true, true, false])
  expect(isRefusal(Object.assign(new Error('no'), { code: 'ECONNREFUSED' }))).toBe(false)
})
