// Each Chromium that this machine offers can be driven.
import { expect, test } from 'vitest'
import { findChromium, launchChromium, newPage } from './chromium.ts'

test('the browser that is named wins over the one on the path', async () => {
  expect(await findChromium({ CHROMIUM_PATH: '/opt/own', PATH: '/usr/bin' })).toBe('/opt/own')
})

test.each([
  ['the one of this machine', undefined],
  ['the one inside a package', { PATH: '' }],
])('a page has its own width and colours in %s', async (_, env) => {
  await using browser = await launchChromium(await findChromium(env))
  const seen = () => [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches] as const
  const phone = await newPage(browser, { width: 390, scheme: 'dark' })
  expect(await phone.evaluate(seen)).toEqual([390, true])
  const screen = await newPage(browser)
  expect(await screen.evaluate(seen)).toEqual([1440, false])
})
