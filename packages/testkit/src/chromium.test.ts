// Each Chromium that this machine offers can be driven.
import { expect, test } from 'vitest'
import { findChromium, launchChromium, newPage, probeChromium } from './chromium.ts'

test('the browser that is named wins over the one on the path', async () => {
  expect(await findChromium({ CHROMIUM_PATH: '/opt/own', PATH: '/usr/bin' })).toBe('/opt/own')
})

const browsers = {
  'the one of this machine': await probeChromium({ packaged: false }),
  'the one inside a package': await probeChromium({ env: { PATH: '' } }),
}

for (const [which, found] of Object.entries(browsers)) {
  const but = 'missing' in found ? ` (${found.missing})` : ''
  test.skipIf('missing' in found)(`a page has its own width and colours in ${which}${but}`, async () => {
    await using browser = await launchChromium('path' in found ? found.path : undefined)
    const seen = () => [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches] as const
    const phone = await newPage(browser, { width: 390, scheme: 'dark' })
    expect(await phone.evaluate(seen)).toEqual([390, true])
    const screen = await newPage(browser)
    expect(await screen.evaluate(seen)).toEqual([1440, false])
  })
}
