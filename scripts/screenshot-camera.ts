// Takes the pictures: each page once, at three widths and in both themes, when it has come to rest.
import { execFile } from 'node:child_process'
import path from 'node:path'
import { newPage } from '@restic-manager/testkit/chromium'
import { until } from '@restic-manager/testkit/until'
import { root } from './processes.ts'

export type Page = Awaited<ReturnType<typeof newPage>>
export type Browser = Parameters<typeof newPage>[0]
export type SignedIn = Awaited<ReturnType<ReturnType<Page['context']>['storageState']>>

/** Without `at` the page stays where the last picture left it. */
export type Wanted = {
  name: string
  at?: string
  /** Before the page is opened: holds back what the server says, for one. */
  before?: (page: Page) => Promise<void>
  /** Once the page is there: what is pressed, and what is then waited for. */
  act?: (page: Page) => Promise<void>
  /** A dialog is open: a higher window would only show more of what lies behind it. */
  dialog?: boolean
  /** The page is meant to be on its way, or without its data. */
  unsettled?: boolean
}

const sizes = [
  { width: 1440, height: 900 },
  { width: 768, height: 1024 },
  { width: 390, height: 844 },
]
/** What lies below is more of the same. */
const HIGHEST = 1_400

/** Where the pictures go, and which of them are wanted: none named is all. */
export type Album = { folder: string; only: readonly string[] }

/** A camera on one server, as who is signed in or as nobody. Disposing closes its window. */
export async function openCamera(
  browser: Browser,
  { folder, only }: Album,
  { url, storageState }: { url: string; storageState?: SignedIn | undefined },
) {
  const page = await newPage(browser, { ...sizes[0], ...(storageState && { storageState }) })
  const shoot = async (wanted: Wanted) => {
    await page.setViewportSize(sizes[0] as (typeof sizes)[number])
    await page.emulateMedia({ colorScheme: 'light' })
    await wanted.before?.(page)
    if (wanted.at !== undefined) await page.goto(new URL(wanted.at, url).href)
    if (wanted.unsettled !== true) await settle(page)
    await wanted.act?.(page)
    if (wanted.dialog === true) await page.getByRole('dialog').locator('button, input').first().waitFor()
    await page.mouse.move(0, 0)
    for (const size of sizes) {
      await page.setViewportSize(size)
      await drawn(page)
      if (wanted.dialog !== true) await fitHeight(page, size)
      for (const scheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme: scheme })
        await drawn(page)
        const file = path.join(folder, `${wanted.name}-${size.width}-${scheme}.png`)
        await page.screenshot({ path: file })
        await squeeze(file)
      }
      await page.emulateMedia({ colorScheme: 'light' })
    }
    process.stderr.write(`${wanted.name}\n`)
    await page.unrouteAll({ behavior: 'ignoreErrors' })
  }
  return {
    page,
    /** A picture that leads to the next one is taken whether it is wanted or not. */
    shoot,
    async shootAll(all: readonly Wanted[]) {
      for (const wanted of all) if (isWanted({ only }, wanted.name)) await shoot(wanted)
    },
    [Symbol.asyncDispose]: () => page.context().close(),
  }
}

export const isWanted = ({ only }: Pick<Album, 'only'>, ...names: string[]) =>
  only.length === 0 || names.some(name => only.includes(name))

/** Waits until the page has its words, no skeleton is left, and what it shows has stopped changing for a moment. */
async function settle(page: Page) {
  await page.getByRole('heading').first().waitFor()
  await until(
    () => page.locator('.skeleton-row').count(),
    count => count === 0,
    { what: 'the data' },
  )
  let before = ''
  await until(
    async () => {
      const now = (await page.locator('body').innerText()).replaceAll(/\d+/g, '')
      const same = now === before
      before = now
      return same
    },
    same => same,
    { what: 'a quiet page', everyMs: 250 },
  )
}

const drawn = (page: Page) =>
  page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))))

/** Makes the window as high as what it shows, so that bars fixed to its edges stand there in the picture too. */
async function fitHeight(page: Page, { width, height }: { width: number; height: number }) {
  const whole = await page.evaluate(() => {
    scrollTo(0, 0)
    return document.documentElement.scrollHeight
  })
  await page.setViewportSize({ width, height: Math.min(HIGHEST, Math.max(height, whole)) })
  await drawn(page)
}

/** Fewer colours where pngquant is installed: a quarter of the size and no difference to the eye. */
const squeeze = (file: string) =>
  new Promise<void>(resolve => {
    const options = ['128', '--nofs', '--force', '--ext', '.png', '--skip-if-larger', '--strip']
    execFile('pngquant', [...options, '--', file], error => {
      if (error !== null && 'code' in error && error.code === 'ENOENT')
        process.stderr.write(`${path.relative(root, file)} keeps all its colours: pngquant is missing\n`)
      resolve()
    })
  })

/** Signs in and gives the session for other windows: the server counts how often somebody signs in. */
export async function signIn(
  browser: Browser,
  url: string,
  { email, password }: { email: string; password: string },
): Promise<SignedIn> {
  const page = await newPage(browser)
  await page.goto(`${url}/sign-in`)
  await page.getByLabel('E-mail').fill(email)
  await page.getByRole('textbox', { name: 'Password' }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { level: 1 }).waitFor()
  await page.waitForURL(at => at.pathname !== '/sign-in')
  const state = await page.context().storageState()
  await page.context().close()
  return state
}
