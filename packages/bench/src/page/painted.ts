// When the first thing of use stood on the screen, as the page's own clock has it.
import type { Page } from 'playwright-core'

/** An address, and what is of use first there. */
export type FirstSight = { at: string; selector: string }

const firstRow = '[role="row"][aria-rowindex="2"]'
export const firstSights = {
  'sign-in': { at: '/sign-in', selector: 'h1' },
  overview: { at: '/', selector: '.overview-head h1' },
  hosts: { at: '/hosts', selector: firstRow },
  jobs: { at: '/jobs', selector: firstRow },
} satisfies Record<string, FirstSight>

/** Opens an address and answers the milliseconds from the navigation until what `selector` finds had words and was drawn. */
export async function paintedAfter(page: Page, address: string, selector: string): Promise<number> {
  await page.addInitScript(wanted => {
    const look = () => {
      const found = document.querySelector(wanted)
      if (found === null || (found.textContent ?? '').trim() === '') return
      observer.disconnect()
      // The frame that shows it is done once the next task runs.
      requestAnimationFrame(() => setTimeout(() => performance.mark('painted')))
    }
    const observer = new MutationObserver(look)
    observer.observe(document, { childList: true, subtree: true, characterData: true })
  }, selector)
  await page.goto(address, { waitUntil: 'commit' })
  const mark = await page.waitForFunction(() => performance.getEntriesByName('painted')[0]?.startTime)
  return Number(await mark.jsonValue())
}

/** Elements on the page, once nothing is asked for any more. */
export async function countNodes(page: Page): Promise<number> {
  await page.waitForLoadState('networkidle')
  return page.evaluate(() => document.querySelectorAll('*').length)
}
