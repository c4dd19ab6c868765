// What the command palette offers for what was found and typed.
import { newId } from '@restic-manager/contract/ids'
import { expect, test } from 'vitest'
import { type Choice, choicesOf, choicesWith, grouped, wishOf } from './palette-choices.ts'

const schedule = (kind: 'backup' | 'prune') => ({
  ...{ id: newId(), name: `the ${kind}`, kind, hostName: 'web-1', enabled: true },
})
const found = { hosts: [], repositories: [], jobs: [], schedules: [schedule('backup'), schedule('prune')] }

test('what removes something is never run from a list, and nothing is by who may not', () => {
  const offered = (run: (() => void) | undefined) =>
    choicesOf(found, run, String)
      .filter(({ kind }) => kind === 'run')
      .map(({ word }) => word)
  expect(offered(() => {})).toEqual(['Run the backup'])
  expect(offered(undefined)).toEqual([])
})

test('every word has to be in a line or in what it is also found by', () => {
  const lines: Choice[] = [{ key: 'a', kind: 'action', word: 'Dark colours', also: 'theme switch' }]
  for (const text of ['dark', 'THEME dark', '  ', '']) expect(choicesWith(text, lines)).toEqual(lines)
  expect(choicesWith('dark horse', lines)).toEqual([])
})

test('groups stand in one order, and none is empty', () => {
  const line = (kind: Choice['kind']): Choice => ({ key: kind, kind, word: kind })
  const groups = grouped([line('page')], [line('action'), line('host'), line('action')])
  expect(groups.map(({ group, choices }) => [group, choices.length])).toEqual([
    ['recent', 1],
    ['host', 1],
    ['action', 2],
  ])
})

test('"run" before a name means to run it', () => {
  expect(wishOf(' Run nightly files ')).toEqual({ text: 'nightly files', toRun: true })
  for (const text of ['run', 'runner', 'files run']) expect(wishOf(text)).toEqual({ text, toRun: false })
})
