// How long the frames of a page take while something moves.
import type { Page } from 'playwright-core'
import { type Figure, rounded } from '../measure/figure.ts'

/** Two frames at 60 a second: a longer one is seen as a stutter. */
const GOAL_MS = 1_000 / 30

/** The milliseconds between two frames, over all frames while `work` goes on. */
export async function framesDuring(page: Page, work: () => Promise<void>): Promise<number[]> {
  await page.evaluate(() => {
    const kept = { frames: [] as number[], last: 0, isOver: false }
    const next = (now: number) => {
      if (kept.last > 0) kept.frames.push(now - kept.last)
      kept.last = now
      if (!kept.isOver) requestAnimationFrame(next)
    }
    requestAnimationFrame(next)
    Object.assign(window, { keptFrames: kept })
  })
  await work()
  return page.evaluate(() => {
    const { keptFrames: kept } = window as unknown as { keptFrames: { frames: number[]; isOver: boolean } }
    kept.isOver = true
    return kept.frames
  })
}

/** The value that so large a share of them stays below. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** The middle frame and the one that 19 of 20 stay below. `bare` are frames of a page with nothing on it, in the same browser. */
export function frameFigures(name: string, frames: readonly number[], bare: readonly number[]): Figure[] {
  return [0.5, 0.95].map(share => {
    const [ours, limit] = [quantile(frames, share), quantile(bare, share)]
    return {
      name: `${name} p${share * 100}`,
      unit: 'ms a frame',
      ours: rounded(ours),
      limit: rounded(limit),
      ratio: rounded(ours / limit),
      goal: rounded(GOAL_MS),
      ok: ours <= GOAL_MS,
    }
  })
}

const WHEEL_PX = 300

/** Turns the wheel, a step about each frame, until `isThere`, or gives up after two minutes. */
export async function wheelUntil(
  page: Page,
  direction: 1 | -1,
  isThere: () => Promise<boolean>,
): Promise<void> {
  const until = performance.now() + 120_000
  for (let step = 1; performance.now() < until; step += 1) {
    await page.mouse.wheel(0, direction * WHEEL_PX)
    if (step % 20 === 0 && (await isThere())) return
  }
  throw new Error('The end of the list did not come in two minutes.')
}

/** The frames of a tall page with nothing on it while the wheel turns. */
export async function bareFrames(page: Page): Promise<number[]> {
  await page.setContent('<div style="height: 180000px; background: linear-gradient(white, black)"></div>')
  await page.mouse.move(700, 500)
  const atEnd = () => page.evaluate(() => window.scrollY + window.innerHeight >= 179_000)
  return framesDuring(page, () => wheelUntil(page, 1, atEnd))
}
