// Waiting for a truth in a test: ask again and again, and on giving up say what was seen last.
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect, isDeepStrictEqual } from 'node:util'

export type Patience = {
  /** What is awaited, for the sentence of the failure. */
  what?: string
  timeoutMs?: number
  everyMs?: number
}

/** What is left of a type once the value was found truthy. */
export type Truthy<T> = Exclude<T, undefined | null | false | 0 | ''>

/**
 * Reads until `accept` likes the value (by default: until it is truthy) and returns that value.
 * A read that throws counts as "not yet". Gives up after `timeoutMs` (60 s) with the last value or error in
 * the message: a generous limit on waiting, never the thing a test asserts.
 */
export async function until<T>(
  read: () => T | Promise<T>,
  accept?: undefined,
  patience?: Patience,
): Promise<Truthy<T>>
export async function until<T, Wanted extends T>(
  read: () => T | Promise<T>,
  accept: (value: T) => value is Wanted,
  patience?: Patience,
): Promise<Wanted>
export async function until<T>(
  read: () => T | Promise<T>,
  accept: (value: T) => unknown,
  patience?: Patience,
): Promise<T>
export async function until<T>(
  read: () => T | Promise<T>,
  accept: (value: T) => unknown = Boolean,
  { what = 'the awaited truth', timeoutMs = 60_000, everyMs = 25 }: Patience = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    let seen: string
    let cause: unknown
    try {
      const value = await read()
      if (accept(value)) return value
      seen = `last seen: ${inspect(value, { depth: 4, breakLength: 100 })}`
    } catch (error) {
      seen = `last error: ${error instanceof Error ? error.message : inspect(error)}`
      cause = error
    }
    if (performance.now() >= deadline) {
      throw new Error(`waited ${timeoutMs} ms for ${what}; ${seen}`, { cause })
    }
    await sleep(everyMs)
  }
}

/** Accepts a value that deeply equals `wanted`: `until(() => server.statusOf(jobId), is('running'))`. */
export function is<const Wanted>(wanted: Wanted): (value: unknown) => boolean {
  return value => isDeepStrictEqual(value, wanted)
}
