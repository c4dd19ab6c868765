// What is turned away is counted by reason, in bounded room.
import { expect, test } from 'vitest'
import { refusals } from '@restic-manager/contract/refusal'
import type { Log } from '@restic-manager/runtime/log'
import { countTurnedAway, doorReasons, type TurnedAwayReason } from './turned-away.ts'

function withLines() {
  const lines: unknown[] = []
  const log = { info: (fields: unknown) => lines.push(fields) } as unknown as Log
  return { lines, turnedAway: countTurnedAway(log) }
}

test('each reason is counted by itself, and the log says once what came since its last line', () => {
  const { lines, turnedAway } = withLines()
  turnedAway.say()
  turnedAway.count('foreign_origin', '192.0.2.1')
  turnedAway.count('foreign_origin', '192.0.2.1')
  turnedAway.count('token_refused', '192.0.2.2')
  expect(turnedAway.rows()).toMatchObject([
    { reason: 'foreign_origin', count: 2, lastAt: expect.any(Date) },
    { reason: 'token_refused', count: 1 },
  ])
  turnedAway.say()
  turnedAway.say()
  expect(lines).toEqual([
    { turnedAway: { foreign_origin: 2, token_refused: 1 }, from: ['192.0.2.1', '192.0.2.2'] },
  ])
})

test('a hundred thousand refusals from as many addresses, with reasons made up, take no more room than one of each', () => {
  const { lines, turnedAway } = withLines()
  for (let at = 0; at < 100_000; at += 1) {
    turnedAway.count('not_signed_in', `2001:db8::${at.toString(16)}`)
    turnedAway.count(`made up ${at}` as TurnedAwayReason)
  }
  for (const name of ['__proto__', 'constructor', 'toString']) turnedAway.count(name as TurnedAwayReason)
  expect(turnedAway.rows()).toMatchObject([{ reason: 'not_signed_in', count: 100_000 }])
  turnedAway.say()
  expect((lines[0] as { from: string[] }).from).toHaveLength(10)
})

test('no reason at the door has the name of a refusal, so that no count means two things', () => {
  expect(doorReasons.filter(reason => reason in refusals)).toEqual([])
})
