// What names may not hold: anything that lets one thing pass for another.
import { expect, test } from 'vitest'
import { Name } from './scalars.ts'

test('a name is one line that can be seen: no control characters, no terminal codes, nothing that turns text round', () => {
  const hostile = [
    'a\nb',
    'a\tb',
    '\u001b[31mred',
    'a\u0007',
    'a\u2028b',
    'exe\u202egnp',
    '\u2066x\u2069',
    'a\u0085b',
    'a\0b',
  ]
  expect(hostile.filter(name => Name.safeParse(name).success)).toEqual([])
  const honest = ['web-1', 'Büro Köln', '日本語', 'm\u00e9l', '../../x', '<b>', '👩‍💻', "Anna's laptop"]
  expect(honest.filter(name => !Name.safeParse(name).success)).toEqual([])
})
