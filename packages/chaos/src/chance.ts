// Chance that can be had again: one seed, one story.

/** Draws from one row of numbers. */
export type Chance = {
  /** From 0 to below 1. */
  fraction(): number
  /** A whole number, both ends included. */
  between(least: number, most: number): number
  happens(share: number): boolean
  /** One of them; the row must not be empty. */
  pick<T>(choices: readonly T[]): T
  /** One of the keys, each as often as its weight says. */
  weighted<Key extends string>(weights: Readonly<Record<Key, number>>): Key
  /** Another row of numbers, its own for each name, so that what draws from it disturbs nobody else. */
  branch(name: string): Chance
}

/** The same draws for the same seed. */
export function chanceOf(seed: number): Chance {
  let state = seed | 0
  // The generator known as mulberry32: 32 bits of state, good enough for a story.
  const fraction = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    fraction,
    between: (least, most) => least + Math.floor(fraction() * (most - least + 1)),
    happens: share => fraction() < share,
    pick<T>(choices: readonly T[]): T {
      if (choices.length === 0) throw new Error('there is nothing to pick from')
      return choices[Math.floor(fraction() * choices.length)] as T
    },
    weighted<Key extends string>(weights: Readonly<Record<Key, number>>): Key {
      const entries = Object.entries(weights) as [Key, number][]
      let left = fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [key, weight] of entries) {
        left -= weight
        if (left < 0) return key
      }
      return entries.at(-1)?.[0] as Key
    },
    branch: name =>
      chanceOf([...name].reduce((hash, letter) => Math.imul(hash, 31) + letter.charCodeAt(0), seed)),
  }
}
