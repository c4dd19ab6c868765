// Looks at a fleet again and again until it stands as it should, and says every few seconds how far it is.
import { setTimeout as sleep } from 'node:timers/promises'
import type { FleetStanding } from '../simulator/fleet-orders.ts'
import type { SimulatedFleet } from '../simulator/fleet.ts'

export type Watch = {
  note(sentence: string): void
  /** Waits until all say what is wanted of them. Throws a sentence when that takes too long. */
  until(what: string, isSo: (standing: FleetStanding) => boolean, mostMs?: number): Promise<FleetStanding>
  untilAllIn(): Promise<FleetStanding>
  /** Nothing runs, and everything is told. */
  untilQuiet(): Promise<FleetStanding>
  pause(ms: number): Promise<void>
  /** Tells how the fleet stands while something else goes on. */
  whileWorking<T>(work: Promise<T>): Promise<T>
}

const SAY_EVERY_MS = 5_000
const LOOK_EVERY_MS = 250
/** Nobody waits longer than this for anything. */
const MOST_MS = 900_000

/** `signal` ends every wait. */
export function watchFleet(
  fleet: SimulatedFleet,
  { note, signal }: { note: (sentence: string) => void; signal: AbortSignal },
): Watch {
  let saidAt = performance.now()

  function say(standing: FleetStanding) {
    if (performance.now() - saidAt < SAY_EVERY_MS) return
    saidAt = performance.now()
    note(sentenceOf(fleet.agents, standing))
  }

  async function until(what: string, isSo: (standing: FleetStanding) => boolean, mostMs = MOST_MS) {
    const deadline = performance.now() + mostMs
    for (;;) {
      signal.throwIfAborted()
      const standing = await fleet.look()
      if (isSo(standing)) return standing
      say(standing)
      if (performance.now() > deadline)
        throw new Error(
          `Waited ${mostMs / 1_000} s in vain for ${what}: ${sentenceOf(fleet.agents, standing)}`,
        )
      await sleep(LOOK_EVERY_MS, undefined, { signal })
    }
  }

  return {
    note,
    until,
    untilAllIn: () => until('all agents to be in', standing => standing.in === fleet.agents),
    untilQuiet: () =>
      until(
        'quiet',
        ({ openJobs, waitingFacts, unsentLogs, ...standing }) =>
          openJobs + waitingFacts + unsentLogs === 0 && standing.in === fleet.agents,
      ),
    async pause(ms) {
      const end = performance.now() + ms
      for (let left = ms; left > 0; left = end - performance.now()) {
        await sleep(Math.min(left, SAY_EVERY_MS), undefined, { signal })
        if (left > SAY_EVERY_MS) say(await fleet.look())
      }
    },
    async whileWorking(work) {
      const over = new AbortController()
      const telling = tellOn(over.signal)
      const aborted = new Promise<never>((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error), {
          once: true,
          signal: over.signal,
        }),
      )
      try {
        return await Promise.race([work, aborted])
      } finally {
        over.abort()
        await telling
      }
    },
  }

  /** A process that lets agents join answers nothing else meanwhile, so it is not asked: only time is told. */
  async function tellOn(over: AbortSignal) {
    const began = performance.now()
    for (;;) {
      await sleep(3 * SAY_EVERY_MS, undefined, { signal: over }).catch(() => {})
      if (over.aborted) return
      note(`… ${Math.round((performance.now() - began) / 1_000)} s`)
    }
  }
}

function sentenceOf(
  agents: number,
  { in: there, jobs, openJobs, waitingFacts, unsentLogs, ...dials }: FleetStanding,
) {
  return [
    `${there} of ${agents} are in`,
    `${jobs} jobs, ${openJobs} open`,
    `${waitingFacts} facts and ${unsentLogs} logs to be told`,
    `${dials.turnedAway} times one was told to come again, ${dials.failed} dials failed`,
  ].join('; ')
}
