// Going through a page by keyboard alone.
import type { Locator, Page } from 'playwright-core'

/** More stops than any page has. */
const MOST_STOPS = 120

const isFocused = (locator: Locator): Promise<boolean> =>
  locator.evaluateAll(elements => elements.some(element => element === document.activeElement))

/** Presses Tab until what is looked for has the focus, as somebody without a pointer would. Throws when it is never reached. */
export async function tabTo(page: Page, locator: Locator): Promise<void> {
  await locator.first().waitFor()
  for (let stop = 0; stop < MOST_STOPS; stop += 1) {
    if (await isFocused(locator)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`${String(locator)} is not reached by Tab`)
}

/** Goes to a button or link and presses it. */
export async function press(page: Page, locator: Locator): Promise<void> {
  await tabTo(page, locator)
  await page.keyboard.press('Enter')
}

/** Goes to a field and types over what is in it. */
export async function type(page: Page, locator: Locator, text: string): Promise<void> {
  await tabTo(page, locator)
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.insertText(text)
}
