// What is going to happen in a run: drawn from its seed before anything starts, so that a seed can be told again.
import { chanceOf, type Chance } from './chance.ts'

/**
 * How often each fault comes, against the others.
 * `link-*` happen to the proxy of one host or of several, `host-*` to real agents, `sim-*` to simulated ones.
 */
export const faultWeights = {
  'link-cut': 8,
  'link-blackhole': 4,
  'link-drop-up': 3,
  'link-drop-down': 5,
  'link-half-close': 3,
  'link-delay': 4,
  'link-throttle': 3,
  'link-flap': 4,
  'link-refuse': 2,
  'server-kill': 5,
  'server-roll': 3,
  'server-pause': 5,
  'database-restart': 2,
  'database-kill': 2,
  'database-freeze': 3,
  'database-backends': 6,
  'database-listeners': 3,
  'host-kill': 4,
  'host-restart': 2,
  'host-pause': 3,
  'restic-kill': 4,
  'sim-crash': 4,
  'sim-cut': 3,
} as const

export type FaultKind = keyof typeof faultWeights

/** How long each lasts at least and at most, in milliseconds. */
const lengths: Partial<Record<FaultKind, readonly [number, number]>> = {
  'link-cut': [0, 0],
  'link-flap': [2_000, 5_000],
  'server-kill': [200, 5_000],
  'server-roll': [0, 500],
  'server-pause': [500, 9_000],
  'database-restart': [0, 1_500],
  'database-kill': [0, 3_000],
  'database-freeze': [500, 6_000],
  'database-backends': [500, 3_000],
  'database-listeners': [0, 0],
  'host-kill': [100, 15_000],
  'host-restart': [0, 3_000],
  'restic-kill': [0, 0],
  'sim-crash': [0, 0],
}
const usualLength = [400, 7_000] as const

/** How often operators do each thing, against the others. */
export const actWeights = {
  backup: 40,
  'backup-twice': 6,
  probe: 4,
  check: 3,
  prune: 2,
  cancel: 14,
  retry: 6,
  'run-now': 6,
  'schedule-create': 5,
  'schedule-edit': 6,
  'schedule-pause': 4,
  'schedule-remove': 2,
  'repository-edit': 2,
} as const

export type ActKind = keyof typeof actWeights

/** `pick` and `more` choose, when the time has come, among what is there then. */
type Drawn = { atMs: number; pick: number; more: number }
export type Fault = Drawn & { kind: FaultKind; lastsMs: number }
export type Act = Drawn & { kind: ActKind }
export type Story = { seed: number; minutes: number; faults: Fault[]; acts: Act[] }

/** Between two faults, and between two acts, on average. */
const faultGapMs = 1_100
const actGapMs = 260

/** The same story for the same seed and length. */
export function drawStory(seed: number, minutes: number): Story {
  const untilMs = minutes * 60_000
  const chance = chanceOf(seed)
  return {
    seed,
    minutes,
    faults: drawTimes(chance.branch('faults'), faultGapMs, untilMs, (drawn, from) => {
      const kind = from.weighted(faultWeights)
      const [least, most] = lengths[kind] ?? usualLength
      return { ...drawn, kind, lastsMs: from.between(least, most) }
    }),
    acts: drawTimes(chance.branch('acts'), actGapMs, untilMs, (drawn, from) => ({
      ...drawn,
      kind: from.weighted(actWeights),
    })),
  }
}

function drawTimes<T>(
  from: Chance,
  gapMs: number,
  untilMs: number,
  draw: (drawn: Drawn, from: Chance) => T,
): T[] {
  const drawn: T[] = []
  let atMs = 0
  for (;;) {
    // Gaps as of things that do not know of each other: many short ones, a few long ones.
    atMs += Math.round(-Math.log(1 - from.fraction()) * gapMs)
    if (atMs >= untilMs) return drawn
    drawn.push(draw({ atMs, pick: from.fraction(), more: from.fraction() }, from))
  }
}

/** One of a row by a fraction that was drawn; undefined when there is none. */
export function chosen<T>(row: readonly T[], fraction: number): T | undefined {
  return row[Math.min(row.length - 1, Math.floor(fraction * row.length))]
}
