// How long to wait before the next try.

const BASE = 500
const CAP = 15_000

/** A random wait below a ceiling that doubles with each attempt, from 0. Milliseconds. */
export const jitter = (attempt: number): number =>
  100 + Math.random() * Math.min(CAP, BASE * 2 ** Math.min(attempt, 10))
