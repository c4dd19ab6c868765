// Chance that can be had again: the same numbers for the same seed.

/** The seed of this run. `RM_TEST_SEED=7` draws another story. */
export const seed = Number(process.env.RM_TEST_SEED ?? 20_261_123)

/** The same numbers between 0 and 1 for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
