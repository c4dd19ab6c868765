// What a terminal gets of other people's text.
import { expect, test } from 'vitest'
import { plainText } from './plain-text.ts'

test('nothing that steers a terminal or fakes a line passes (row 41)', () => {
  const hostile = 'a\u001B[2J\u001B]0;title\u0007\r\nb\u009B31m\u202Egnp\u2028c\u0000'
  expect(plainText(hostile)).toBe(
    'a\uFFFD[2J\uFFFD]0;title\uFFFD\uFFFD\uFFFDb\uFFFD31m\uFFFDgnp\uFFFDc\uFFFD',
  )
  expect(plainText('Zoë’s 東京 – naïve 👩‍💻')).toBe('Zoë’s 東京 – naïve 👩‍💻')
})
