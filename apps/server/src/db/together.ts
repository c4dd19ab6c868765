// One statement for many: who asks the same at about the same time is answered by one way to the database.
import { setImmediate as turn } from 'node:timers/promises'
import { timing } from '@restic-manager/contract/timing'
import { DatabaseBusy } from './gate.ts'
import type { Db } from './open.ts'
import { outageIn } from './outage.ts'
import { hasSqlState, lockNotAvailable } from './sql-state.ts'

type Answers<O> = readonly (O | undefined)[]

/**
 * A verb for many. Answers in the order of `inputs`, and undefined to whom it cannot answer in company: a row of theirs is held by
 * somebody else, for whom the others are not to wait, or something about them is out of the ordinary. Such a one is asked for
 * again, `alone`: then it waits for its row, and undefined is the answer.
 */
type AskAll<I, O> = (db: Db, inputs: readonly I[], alone: boolean) => Promise<Answers<O>>

type Waiting<I, O> = {
  input: I
  since: number
  resolve(answer: O | undefined): void
  reject(error: unknown): void
}

/**
 * `apartMs`: the least time from one statement to the next; who asks when it is quiet waits for nobody. `busyMs`: how long it may
 * become while many come, so that more are in each; without it, no longer. `most`: inputs of one statement.
 */
type Pace = { apartMs: number; busyMs?: number; most: number }
/** Whoever has waited nearly as long as an agent waits for an answer would be heard by nobody: what it asked for comes again. */
const patienceMs = timing.answer * 0.75
/** So many who wait are worth a statement at once: each has a hundredth of it to pay. */
const ENOUGH = 100
/** For each who was in the last statement the next may come so much later: beyond 40 in a second they become fewer and larger. */
const EACH_MS = 25
const usual: Pace = { apartMs: 50, most: 500 }
/** For the steps of hosts that come back: nobody waits for one of them, and a whole fleet takes them at once. */
export const arriving: Pace = { ...usual, busyMs: 250 }

/** Makes of a verb for many a verb for one. Each `db` gathers for itself, so that a transaction is never mixed with others. */
export function together<I, O>(
  askAll: AskAll<I, O>,
  pace: Pace = usual,
): (db: Db, input: I) => Promise<O | undefined> {
  const lines = new WeakMap<Db, (input: I) => Promise<O | undefined>>()
  return (db, input) => {
    let ask = lines.get(db)
    if (ask === undefined) {
      ask = openLine((inputs, alone) => askAll(db, inputs, alone), pace)
      lines.set(db, ask)
    }
    return ask(input)
  }
}

/** One statement at a time. Who comes meanwhile is in the next. */
function openLine<I, O>(
  askAll: (inputs: readonly I[], alone: boolean) => Promise<Answers<O>>,
  { apartMs, busyMs = apartMs, most }: Pace,
) {
  const enough = Math.min(most, ENOUGH)
  let hurry = () => {}
  // Taken from in its place: a copy of a long line for each statement keeps the collector of garbage busy.
  const waiting: Waiting<I, O>[] = []
  let isAsking = false

  async function askFor(batch: readonly Waiting<I, O>[]) {
    const inputs = batch.map(({ input }) => input)
    let answers: Answers<O> = []
    try {
      answers = await askAll(inputs, false)
    } catch (error) {
      if (isAway(error)) return batch.forEach(({ reject }) => reject(error))
    }
    batch.forEach(({ input, resolve, reject }, at) => {
      const answer = answers[at]
      if (answer === undefined) askAll([input], true).then(([own]) => resolve(own), reject)
      else resolve(answer)
    })
  }

  function giveUpTheLate() {
    const since = performance.now() - patienceMs
    const inTime = waiting.findIndex(each => each.since >= since) // first come, first served
    const late = waiting.splice(0, inTime === -1 ? waiting.length : inTime)
    for (const { reject } of late) reject(new DatabaseBusy('Too many are waiting for the database.'))
  }

  async function askAsLongAsSomebodyWaits() {
    isAsking = true
    await turn() // all who ask now come together
    while (waiting.length > 0) {
      const began = performance.now()
      giveUpTheLate()
      const batch = waiting.splice(0, most)
      if (batch.length === 0) break
      await askFor(batch)
      await untilEnough(began + pauseAfter(batch.length) - performance.now())
    }
    isAsking = false
  }

  /** Whoever came in a crowd is not followed by as many. */
  const pauseAfter = (asked: number) =>
    asked >= enough ? apartMs : Math.max(apartMs, Math.min(busyMs, asked * EACH_MS))

  /** Or until so much time has passed. */
  async function untilEnough(ms: number) {
    if (ms <= 0 || waiting.length >= enough) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms)
    hurry = resolve
    await promise
    clearTimeout(timer)
    hurry = () => {}
  }

  return (input: I) =>
    new Promise<O | undefined>((resolve, reject) => {
      waiting.push({ input, since: performance.now(), resolve, reject })
      if (!isAsking) void askAsLongAsSomebodyWaits()
      else if (waiting.length >= enough) hurry()
    })
}

/** Then nobody fares better alone. Anything else may be about one of them, and the others are not to suffer for it. */
const isAway = (error: unknown) => outageIn(error) !== undefined && !hasSqlState(error, lockNotAvailable)
