// What the owner of a host allows, and that nobody else can allow it.
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PolicySummary } from '@restic-manager/contract/agent'
import { usualPatterns } from '@restic-manager/contract/policy'
import {
  defaultPolicyFile,
  findHookProgram,
  policySummary,
  readHostPolicy,
  usualLocalFolder,
} from './policy.ts'
import { complaintAboutWork } from './policy-orders.ts'
import { usualPolicy } from './policy-places.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'policy-'))
  file = join(folder, 'policy.json')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const usual = { localFolder: '/var/backups/restic', restoreRoot: '/var/lib/agent/restores' }
const read = (at = file) => readHostPolicy(at, usual)
const write = (policy: unknown, mode = 0o644) => {
  writeFileSync(file, typeof policy === 'string' ? policy : JSON.stringify(policy))
  chmodSync(file, mode)
}
const addHook = (name: string, mode = 0o755) => {
  mkdirSync(join(folder, 'hooks'), { recursive: true })
  writeFileSync(join(folder, 'hooks', name), '#!/bin/sh\n')
  chmodSync(join(folder, 'hooks', name), mode)
}

test('a host without a policy file allows no hooks', () => {
  const policy = read()
  expect(policy).toMatchObject({ found: false, hooks: 'off' })
  expect(policy).not.toHaveProperty('problem')
  expect(policySummary(policy)).toEqual({
    ...{ file, found: false, hooks: 'off' },
    repositories: usualPatterns('/var/backups/restic'),
    restore: { roots: ['/var/lib/agent/restores'], inPlace: false },
  })
})

test('the file says which hooks run, and where the programs lie', () => {
  write({ hooks: 'listed' })
  expect(read()).toMatchObject({ hooks: 'listed', hooksFolder: join(folder, 'hooks') })
  write({ hooks: 'inline', hooksFolder: '/opt/hooks' })
  expect(read()).toMatchObject({ hooks: 'inline', hooksFolder: '/opt/hooks' })
  write({})
  expect(read()).toMatchObject({ found: true, hooks: 'off' })
})

test.each([
  ['is no JSON', '{ "hooks": "listed", }', /JSON/],
  ['has a key nobody knows', { hooks: 'inline', hook: 'off' }, /hook/],
  ['has a value nobody knows', { hooks: 'on' }, /hooks/],
  [
    'has a pattern that says more than it seems',
    { repositories: ['/srv/**/a'] },
    /repositories.*only at its end/,
  ],
  ['has a word for a number', { uploadKibps: 'fast' }, /uploadKibps/],
  ['would restore beside where one stands', { restoreRoots: ['restores'] }, /absolute/],
  ['would restore above what it names', { restoreRoots: ['/srv/../etc'] }, /restoreRoots.*"\.\."/],
  ['hides a key from whoever looks', '{"__proto__": {"hooks": "inline"}}', /__proto__/],
  ['is empty', '', /JSON/],
  ['names a folder that depends on where one stands', { hooks: 'listed', hooksFolder: 'hooks' }, /absolute/],
])('a file that %s allows nothing and says why', (_, policy, words) => {
  write(policy)
  expect(read()).toMatchObject({ found: true, hooks: 'off', problem: expect.stringMatching(words) })
})

test('a file that others may write, or put another in the place of, is not followed', () => {
  write({ hooks: 'inline' }, 0o664)
  expect(read()).toMatchObject({
    hooks: 'off',
    problem: expect.stringContaining('written by others'),
  })
  write({ hooks: 'inline' }, 0o644)
  chmodSync(folder, 0o777)
  expect(read()).toMatchObject({ hooks: 'off', problem: expect.stringContaining(folder) })
})

test.skipIf(process.getuid?.() !== 0)('a file of another user is not followed', () => {
  write({ hooks: 'inline' })
  chownSync(file, 65_534, 65_534)
  expect(read()).toMatchObject({ hooks: 'off', problem: expect.stringContaining('65534') })
})

test('the server hears of the programs that can run, and of no others', () => {
  write({ hooks: 'listed' })
  for (const name of ['dump', 'a.sh']) addHook(name)
  addHook('not-executable', 0o644)
  addHook('anybody-may-write', 0o777)
  addHook('.hidden')
  mkdirSync(join(folder, 'hooks', 'folder'))
  symlinkSync('/bin/sh', join(folder, 'hooks', 'leads-out'))
  symlinkSync(join(folder, 'hooks', 'dump'), join(folder, 'hooks', 'alias'))
  const summary = policySummary(read())
  expect(PolicySummary.parse(summary)).toMatchObject({
    hooks: 'listed',
    hookNames: ['a.sh', 'alias', 'dump'],
  })
})

test.each(['../evil', 'a/b', '/bin/sh', '', '.', '..', '-c', 'a b', 'a\0b', 'leads-out', 'absent'])(
  'the name %j runs nothing',
  name => {
    write({ hooks: 'inline' })
    addHook('dump')
    writeFileSync(join(folder, 'evil'), '')
    symlinkSync('/bin/sh', join(folder, 'hooks', 'leads-out'))
    expect(findHookProgram(read(), name)).toEqual({ complaint: expect.any(String) })
  },
)

test('each system has its own place for the file', () => {
  expect(defaultPolicyFile('linux', {})).toBe('/etc/restic-manager/policy.json')
  expect(defaultPolicyFile('darwin', {})).toBe('/Library/Application Support/restic-manager/policy.json')
  expect(defaultPolicyFile('win32', { ProgramData: 'D:\\Data' })).toBe(
    'D:\\Data\\restic-manager\\policy.json',
  )
})

test('a link that others could lead elsewhere is not followed, wherever it leads now', () => {
  write({ hooks: 'listed' })
  addHook('dump')
  const open = join(folder, 'open')
  mkdirSync(open)
  chmodSync(open, 0o777)
  symlinkSync(file, join(open, 'policy.json'))
  symlinkSync(join(folder, 'hooks'), join(open, 'hooks'))
  symlinkSync(join(open, 'policy.json'), join(folder, 'by-two-links.json'))
  const problem = expect.stringContaining(`${open} can be written by others`)
  for (const by of [join(open, 'policy.json'), join(folder, 'by-two-links.json')])
    expect(read(by)).toMatchObject({ hooks: 'off', problem })
  const hooksFolder = join(open, 'hooks')
  expect(findHookProgram({ ...read(), hooksFolder }, 'dump')).toEqual({ complaint: problem })
  symlinkSync(file, join(folder, 'our-own-link.json'))
  expect(read(join(folder, 'our-own-link.json'))).toMatchObject({ hooks: 'listed' })
})

test('what the owner says of repositories, environment, speed and restores is kept, told, and refused by its key', () => {
  write({
    repositories: ['rest:https://vault.example.com/**'],
    environment: [],
    uploadKibps: 500,
    restoreRoots: ['/srv/restores'],
    restoreInPlace: true,
  })
  const policy = read()
  expect(PolicySummary.parse(policySummary(policy))).toEqual({
    ...{ file, found: true, hooks: 'off' },
    repositories: ['rest:https://vault.example.com/**'],
    environment: [],
    uploadKibps: 500,
    restore: { roots: ['/srv/restores'], inPlace: true },
  })
  const complaint = (url: string, environment?: Record<string, string>) =>
    complaintAboutWork(policy, { spec: {}, access: { url, environment } })
  expect(complaint('rest:https://vault.example.com/a/')).toBeUndefined()
  expect(complaint('rest:https://elsewhere.example.com/a/')).toContain('"repositories"')
  expect(complaint('/var/backups/restic/a')).toContain('"repositories"')
  expect(complaint('rest:https://vault.example.com/a/', { RESTIC_CACERT: '/ca.pem' })).toContain(
    '"environment"',
  )
})

test('a file that is not followed lets no job run, and says so', () => {
  write({ uploadkibps: 500 })
  const access = { url: 'rest:https://vault.example.com/' }
  expect(complaintAboutWork(read(), { spec: {}, access })).toMatch(/not followed.*uploadkibps/)
  expect(policySummary(read())).toMatchObject({ repositories: [], problem: expect.any(String) })
})

test('folders that were repositories before stay allowed, and a server cannot add to them later', () => {
  const before = [{ url: '/mnt/usb/restic/' }, { url: 'rest:https://h/' }, { url: '/srv/*' }]
  expect(usualPolicy(folder, before).knownPlaces).toEqual(['/mnt/usb/restic/'])
  const later = usualPolicy(folder, [{ url: '/etc/cron.d' }])
  const policy = readHostPolicy(join(folder, 'none.json'), later)
  const complaint = (url: string) => complaintAboutWork(policy, { spec: {}, access: { url } })
  expect(complaint('/mnt/usb/restic')).toBeUndefined()
  expect(complaint('/etc/cron.d')).toContain('"repositories"')
  writeFileSync(join(folder, 'known-places.json'), '{')
  expect(usualPolicy(folder, [{ url: '/etc' }]).knownPlaces).toEqual([])
})

test('the usual folder is one that the user of the agent can write to', () => {
  expect(usualLocalFolder('linux', 0, '/root')).toBe('/var/backups/restic')
  expect(usualLocalFolder('linux', 1000, '/home/noor')).toBe(
    '/home/noor/.local/share/restic-manager/repositories',
  )
  expect(usualLocalFolder('win32', undefined, 'C:\\Users\\noor')).toBe('C:\\backups')
})

test('a file that is a link that leads nowhere, or is none, is not followed', () => {
  symlinkSync(join(folder, 'nowhere.json'), file)
  expect(read()).toMatchObject({ found: true, hooks: 'off', repositories: [], problem: expect.any(String) })
  mkdirSync(join(folder, 'is-a-folder'))
  expect(read(join(folder, 'is-a-folder'))).toMatchObject({ repositories: [], problem: expect.any(String) })
})

test('a link inside of an allowed folder leads no repository out of it, a folder that is a link itself may', () => {
  const [allowed, outside] = [join(folder, 'allowed'), join(folder, 'outside')]
  for (const each of [allowed, outside]) mkdirSync(each)
  symlinkSync(outside, join(allowed, 'out'))
  symlinkSync(join(folder, 'nowhere'), join(allowed, 'dangling'))
  symlinkSync(allowed, join(folder, 'mounted'))
  const complaint = (patterns: string[], url: string, credential?: string) => {
    write({ repositories: patterns })
    return complaintAboutWork(read(), { spec: {}, access: { url, credential } })
  }
  const below = [`${allowed}/**`]
  expect(complaint(below, join(allowed, 'new/deeper'))).toBeUndefined()
  expect(complaint(below, join(allowed, 'out'))).toContain(`to ${outside}`)
  expect(complaint(below, join(allowed, 'out/new'))).toContain(`to ${join(outside, 'new')}`)
  expect(complaint(below, join(allowed, 'dangling/a'))).toContain('cannot be followed')
  expect(complaint(['rclone:**', ...below], `rclone:disk:${allowed}/out`, 'type = local')).toContain(outside)
  expect(complaint([`${folder}/mounted/**`], join(folder, 'mounted/a'))).toBeUndefined()
  expect(complaint([`${folder}/mounted/**`], join(folder, 'mounted/out/a'))).toContain(outside)
  expect(complaint([join(allowed, 'out')], join(allowed, 'out'))).toBeUndefined()
  expect(complaint([`${folder}/*/out`], join(folder, 'mounted/out'))).toContain(outside)
  expect(complaint(['**'], join(allowed, 'out'))).toBeUndefined()
})

test.each([
  ['rest:https://h/', { environment: { RESTIC_CACERT: '/dev/zero' } }, /RESTIC_CACERT.*plain file/],
  ['rest:https://h/', { environment: { RESTIC_CACERT: '/etc/hostname,/dev/zero' } }, /plain file/],
  ['rest:https://h/', { environment: { RESTIC_CACERT: 'ca.pem' } }, /absolute/],
  ['rclone:r:a', { credential: 'type = sftp\nkey_file = /dev/zero' }, /key_file.*plain file/],
  ['rclone:r:a', { credential: 'type = sftp\nknown_hosts_file = ${HOME}/x' }, /known_hosts_file.*absolute/],
])('what a server names as a file to read must be one that ends: %s %j', (url, more, words) => {
  const policy = readHostPolicy(join(folder, 'none.json'), usual)
  const complaint = (asked: object) => complaintAboutWork(policy, { spec: {}, access: { url, ...asked } })
  expect(complaint(more)).toMatch(words)
  expect(complaint({})).toBeUndefined()
  const remote = { url: 'rclone:r:a', credential: 'type = sftp\nkey_file = ~/.ssh/id' }
  expect(complaint(remote)).toBeUndefined()
})

test.each([
  ['rclone:r:a', 'type = sftp\nssh = id', /"ssh" may not be set/],
  ['gs:bucket:/', '{ "type": "external_account" }', /service account/],
  ['s3:https://h/b', 'a\nb', /one line/],
])(
  'a secret of which nothing would reach %s is refused before the job (row 40)',
  (url, credential, words) => {
    const policy = readHostPolicy(join(folder, 'none.json'), usual)
    expect(complaintAboutWork(policy, { spec: {}, access: { url, credential } })).toMatch(words)
  },
)

test('the example in the documentation can be used as it is', () => {
  write(readFileSync(join(import.meta.dirname, '../../../docs/policy.example.json'), 'utf8'))
  expect(read()).toMatchObject({ found: true, hooks: 'listed', uploadKibps: 5_000 })
  expect(read()).not.toHaveProperty('problem')
})
