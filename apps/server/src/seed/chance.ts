// Chance that comes out the same for the same seed: a seed names a fleet.

/** Draws from one seed. Each draw moves on, so the order of the calls belongs to the seed. */
export type Chance = {
  /** From 0 up to, but not, 1. */
  share(): number
  /** A whole number from `least` to `most`. */
  whole(least: number, most: number): number
  pick<T>(from: readonly [T, ...T[]]): T
  /** True in so many of a hundred cases. */
  percent(of: number): boolean
  /** A UUID of the random kind. */
  id(): string
}

/** Chance from a seed: mulberry32, which is small and good enough to look real. */
export function makeChance(seed: number): Chance {
  let state = seed >>> 0
  const share = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const whole = (least: number, most: number) => least + Math.floor(share() * (most - least + 1))
  const hex = (digits: number) =>
    Array.from({ length: digits }, () => Math.floor(share() * 16).toString(16)).join('')
  return {
    share,
    whole,
    pick: from => from[Math.floor(share() * from.length)] ?? from[0],
    percent: of => share() * 100 < of,
    id: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
  }
}
