// A backup never reads the repository it goes into.
import { expect, test } from 'vitest'
import { withoutRepository } from './own-repository.ts'

const excludesOf = (url: string, ...paths: string[]) =>
  withoutRepository({ paths, excludes: ['*.tmp'] }, url).excludes

test('a repository in a folder that is read is left out, by its path and nothing else', () => {
  expect(excludesOf('/home/ada/backup', '/etc', '/home')).toEqual(['*.tmp', '/home/ada/backup'])
  expect(excludesOf('/home/ada/[old] *\\x', '/home/ada')).toEqual([
    '*.tmp',
    String.raw`/home/ada/\[old\] \*\\x`,
  ])
})

test('one that lies elsewhere changes nothing', () => {
  for (const url of ['/home2/backup', '/srv', 'sftp:vault:/home/ada/backup', 'rest:https://vault/home'])
    expect(excludesOf(url, '/home')).toEqual(['*.tmp'])
})
