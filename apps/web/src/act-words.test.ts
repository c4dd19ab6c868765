// Every act that can concern a host is told in words.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { actWord } from './act-words.ts'

test('each procedure that changes a host, its schedules, its jobs or its repositories has words', () => {
  const reference = readFileSync(new URL('../../../docs/api.md', import.meta.url), 'utf8')
  const changing = reference
    .split(/^### /m)
    .filter(section => section.includes('| Mutation |'))
    .map(section => section.split('\n', 1)[0] ?? '')
    .filter(name => /^(hosts|schedules|jobs|repositories|alerts)\./.test(name))
  expect(changing.length).toBeGreaterThan(15)
  expect(changing.filter(name => actWord(name) === name)).toEqual([])
})
