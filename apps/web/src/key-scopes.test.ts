// What a key is made for, as scopes and in words.
import { expect, test } from 'vitest'
import { keyAreas, type Reach, scopesOf, scopeWords } from './key-scopes.ts'

const none = Object.fromEntries(Object.keys(keyAreas).map(area => [area, 'none'])) as Record<
  keyof typeof keyAreas,
  Reach
>

test('who may change an area may read it too, and nothing else', () => {
  expect(scopesOf(none)).toEqual([])
  expect(scopesOf({ ...none, hosts: 'read', jobs: 'write' })).toEqual([
    'hosts:read',
    'jobs:read',
    'jobs:write',
  ])
})

test('scopes are said in the words of the page, unknown ones as they are', () => {
  expect(scopeWords(['*'])).toBe('Everything its operator may')
  expect(scopeWords(['hosts:read', 'jobs:read', 'jobs:write', 'users:read'])).toBe(
    'Hosts (read), Jobs (read and write), users (read)',
  )
})
