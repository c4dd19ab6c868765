// Every order in which things can happen in the small world, each state of it looked at once.
import { look, tidy } from './model-host.ts'
import { movesFrom } from './model-moves.ts'
import { newWorld, type Rules, type World } from './model-state.ts'

/** A state that was reached: how, and what the world is there. */
export type Story = { path(): string[]; world(): World }

type Explored = {
  states: number
  ends: number
  /** Stories in which a rule of the model itself was broken: a job that started twice, a status that may not follow. */
  broken: { path: string[]; why: string }[]
}

/**
 * Goes through every story. `onEnd` is called where nothing more can happen: all is well again, all is told, and every
 * period has gone by.
 */
export function exploreWorld(rules: Rules, onEnd: (story: Story) => void): Explored {
  const first = JSON.stringify(newWorld(rules))
  const from = new Map<string, { before: string; move: string } | undefined>([[first, undefined]])
  const pathTo = (state: string) => {
    const path: string[] = []
    for (let at = from.get(state); at !== undefined; at = from.get(at.before)) path.unshift(at.move)
    return path
  }
  const waiting = [first]
  const broken: Explored['broken'] = []
  let ends = 0
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    const moves = movesFrom(JSON.parse(state) as World, rules)
    if (moves.every(move => move.isHarm)) {
      ends += 1
      const end = state
      onEnd({ path: () => pathTo(end), world: () => JSON.parse(end) as World })
    }
    for (const { name, isHarm, isNoExcuse, apply } of moves) {
      const world = JSON.parse(state) as World
      try {
        if (isHarm) world.harmsLeft -= 1
        if (isHarm && !isNoExcuse) world.isExcused = true
        apply(world)
        look(world, rules)
        tidy(world)
      } catch (error) {
        if (broken.length < 3) broken.push({ path: [...pathTo(state), name], why: String(error) })
        continue
      }
      const next = JSON.stringify(world)
      if (from.has(next)) continue
      from.set(next, { before: state, move: name })
      waiting.push(next)
    }
  }
  return { states: from.size, ends, broken }
}
