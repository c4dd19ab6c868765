// `agent check-policy` as the owner of a host meets it: what a file allows in plain words, or the line that is wrong.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileCache } from '@restic-manager/testkit/compile-cache'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { testProgram } from '../../../scripts/test-programs.ts'
import { testFolder } from './testing-folder.ts'

const check = async (words: string[], env: Record<string, string> = {}) =>
  execa(process.execPath, [await testProgram('agent'), 'check-policy', ...words], {
    env: { NODE_COMPILE_CACHE: compileCache, ...env },
    reject: false,
  })

function written(text: string): string {
  const file = join(testFolder('rm-policy-'), 'policy.json')
  writeFileSync(file, text, { mode: 0o644 })
  return file
}

test('a policy file that can be followed is told line by line in plain words', async () => {
  const file = written(`{
    "hooks": "listed",
    "repositories": ["rest:https://vault.example.com/**", "sftp:**", "/mnt/*/restic"],
    "environment": ["RESTIC_CACERT"],
    "uploadKibps": 500,
    "restoreRoots": ["/srv/restores"]
  }`)
  const hooks = join(file, '../hooks')
  mkdirSync(hooks)
  for (const [name, mode] of Object.entries({ dump: 0o755, open: 0o777 })) {
    writeFileSync(join(hooks, name), '#!/bin/sh\n')
    chmodSync(join(hooks, name), mode)
  }
  const { exitCode, stdout, stderr } = await check([file])
  expect([exitCode, stderr]).toEqual([0, ''])
  const lines = stdout.split('\n').map(line => line.replace(/:\s+/, ': ').trim())
  expect(lines).toEqual(
    expect.arrayContaining([
      `Policy file: ${file}, which can be followed`,
      'hooks: The programs in its folder of hooks may run before and after backups: dump',
      'repositories: Only at these places: rest:https://vault.example.com/ and everything below, every address that begins with sftp:, /mnt/*/restic',
      'environment: The server may set for a storage only: RESTIC_CACERT',
      'bandwidth: At most 500 KiB/s up, for every job.',
      'restores: No job restores yet. One may write, never over what is there, below: /srv/restores',
      expect.stringContaining(`not a hook: ${join(hooks, 'open')} can be written by others`),
    ]),
  )
})

test('without a file it says what holds then, and a file that was named has to be there', async () => {
  const missing = join(testFolder('rm-policy-'), 'policy.json')
  const usual = await check([], { RM_POLICY_FILE: missing })
  expect(usual.exitCode).toBe(0)
  expect(usual.stdout).toMatch(/is not there: this is what holds without it/)
  expect(usual.stdout).toMatch(/hooks:\s+No programs run before or after backups\./)
  expect(usual.stdout).toMatch(/repositories:\s+On every storage; of the folders of this host only: \//)
  const named = await check([missing])
  expect([named.exitCode, named.stdout]).toEqual([1, ''])
  expect(named.stderr).toContain(`${missing} is not there. Accepted:`)
})

test.for([
  {
    what: 'a value nobody knows',
    text: '{\n  "restoreInPlace": false,\n  "hooks": "on"\n}',
    says: 'line 3: "hooks": is "on". Accepted: "off", "listed" or "inline".',
  },
  {
    what: 'a key nobody knows',
    text: '{\n  "hooks": "off",\n  "hook": "off"\n}',
    says: 'line 3: "hook" is no key of a policy file. Accepted: hooks, hooksFolder,',
  },
  {
    what: 'one pattern of several',
    text: '{ "repositories": [\n  "/srv/one",\n  "/srv/**/a"\n] }',
    says: 'line 3: "repositories": "/srv/**/a" may have ** only at its end',
  },
  {
    what: 'a limit that is no number',
    text: '{\n"uploadKibps": "fast"}',
    says: 'line 2: "uploadKibps": is "fast". Accepted: a whole number of KiB per second',
  },
  {
    what: 'a folder that depends on where one stands',
    text: '{ "restoreRoots": ["restores"] }',
    says: 'line 1: "restoreRoots": "restores" must be an absolute path. Accepted: a list of at most 20 absolute paths',
  },
  {
    what: 'a comma too many',
    text: '{\n  "hooks": "off",\n}',
    says: 'line 3: expected a key in double quotes, found "}". Accepted is plain JSON',
  },
  {
    what: 'a comment',
    text: '// ours\n{}',
    says: 'line 1: expected a value, found "/". Accepted is plain JSON',
  },
  {
    what: 'a key said twice',
    text: '{\n"hooks": "off",\n"hooks": "inline"}',
    says: 'line 3: says "hooks" again, after line 2: once is accepted.',
  },
  { what: 'a list', text: '[]', says: 'line 1: the file is []. Accepted are keys in braces' },
  {
    what: 'nothing at all',
    text: '',
    says: 'line 1: expected a value, found the end. Accepted is plain JSON',
  },
])('of a file with $what it says the line, what is wrong and what is accepted', async ({ text, says }) => {
  const file = written(text)
  const { exitCode, stdout, stderr } = await check([file])
  expect([exitCode, stdout]).toEqual([1, ''])
  expect(stderr).toContain(`${file}, ${says}`)
  expect(stderr.trim().split('\n')).toHaveLength(1)
})

test('a file that others can write is refused although what it says is right', async () => {
  const file = written('{}')
  chmodSync(file, 0o666)
  const { exitCode, stderr } = await check([file])
  expect([exitCode, stderr]).toEqual([
    1,
    `${file} can be written by others than its owner. Take that right away.`,
  ])
})

test('the help names the command and what it takes', async () => {
  const { stdout } = await check(['--help'])
  expect(stdout).toMatch(/check-policy: say what a policy file allows[^]*FILE +the file to read \(default:/)
  const { exitCode, stderr } = await check(['a.json', 'b.json'])
  expect([exitCode, stderr]).toEqual([
    2,
    expect.stringContaining('"b.json" is too much here. check-policy takes FILE'),
  ])
})
