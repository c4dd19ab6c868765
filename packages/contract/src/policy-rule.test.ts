// What the policy of a host forbids, and what it says to whoever wants it.
import { expect, test } from 'vitest'
import { usualPatterns } from './policy.ts'
import { askedAccess, complaintsByPolicy, type HostRules, placeOf, slower } from './policy-rule.ts'

const usual = usualPatterns('/var/backups/restic')
type Access = Parameters<typeof askedAccess>[0]
const complaintAbout = (rules: HostRules, access: Access) =>
  complaintsByPolicy(rules, { access: askedAccess(access) })[0]?.message

test('a remote that is a folder of the host counts as that folder', () => {
  const policy = { repositories: usual } as const
  const credential = 'type = local'
  const complain = (url: string) => complaintAbout(policy, { url, credential })
  expect(complain('rclone:disk:/etc/cron.d')).toContain('/etc/cron.d: see "repositories"')
  expect(complain('rclone:disk:etc')).toContain('repositories')
  expect(complain('rclone:disk:var/backups/restic/a')).toContain('./var/backups/restic/a')
  expect(complain('rclone:disk:/var/backups/restic/a')).toBeUndefined()
})

test('a name of environment passes when the storage takes it and the host does not forbid it', () => {
  const environment = { RESTIC_CACERT: '/etc/ca.pem' }
  const access = { url: 'rest:https://h/', environment }
  expect(complaintAbout({}, access)).toBeUndefined()
  expect(complaintAbout({ environment: ['RESTIC_CACERT'] }, access)).toBeUndefined()
  expect(complaintAbout({ environment: [] }, access)).toContain('"environment"')
  for (const name of ['LD_PRELOAD', 'RESTIC_PASSWORD_COMMAND', 'RESTIC_REPOSITORY', 'PATH', 'constructor'])
    expect(complaintAbout({}, { url: 'rest:https://h/', environment: { [name]: 'x' } })).toContain(
      `${name} may not be set`,
    )
})

test('an Azure address under another name is not shown what the host itself signs in with', () => {
  const access = { url: 'azure:backups:/a', environment: { AZURE_ENDPOINT_SUFFIX: 'evil.example' } }
  expect(complaintAbout({}, access)).toContain('only together with the key')
  expect(complaintAbout({}, { ...access, credential: 'key' })).toBeUndefined()
})

test('a policy file that is not followed lets nothing run', () => {
  const policy = { repositories: ['**'], problem: 'It is no JSON.' } as const
  expect(complaintAbout(policy, { url: 'rest:https://h/' })).toContain('It is no JSON.')
})

test('of two limits the slower counts', () => {
  expect([slower(1, 2), slower(2, undefined), slower(undefined, 3), slower(undefined, undefined)]).toEqual([
    1,
    2,
    3,
    undefined,
  ])
})

test('a host that told nothing forbids nothing, and one that leaves a key out does not forbid by it', () => {
  const work = {
    access: askedAccess({ url: '/etc/cron.d', environment: {} }),
    preHook: { script: 'id' },
    options: { uploadKibps: 9_000 },
  }
  expect(complaintsByPolicy(undefined, work)).toEqual([])
  expect(complaintsByPolicy({}, work)).toEqual([])
})

test('everything that is forbidden is said at once, each with its code and what it is about', () => {
  const rules = { hooks: 'listed', repositories: ['rest:**'], environment: [], uploadKibps: 500 } as const
  const access = askedAccess({ url: 's3:https://h/bucket', environment: { RESTIC_CACERT: '/ca.pem' } })
  const options = { uploadKibps: 501, downloadKibps: 9_000 }
  const complaints = complaintsByPolicy(rules, {
    ...{ access, options },
    preHook: { name: 'dump' },
    postHook: { script: 'id' },
  })
  expect(complaints.map(({ code, about }) => [code, about])).toEqual([
    ['environment_not_allowed', 'environment'],
    ['repository_not_allowed', 'repository'],
    ['hooks_not_allowed', 'postHook'],
    ['bandwidth_not_allowed', 'uploadKibps'],
  ])
  expect(complaints[3]?.message).toBe(
    'The policy of this host allows at most 500 KiB/s for upload, not 501: see "uploadKibps" in its policy file.',
  )
})

test('a limit that is not above that of the host is its own business', () => {
  for (const options of [{ uploadKibps: 500 }, { uploadKibps: 1 }, {}])
    expect(complaintsByPolicy({ uploadKibps: 500 }, { options })).toEqual([])
})

test('of a remote whose type is not known nothing is said, and none is judged by its name instead', () => {
  const access = { url: 'rclone:disk:/etc', hasCredential: true }
  expect(placeOf(access)).toBeUndefined()
  expect(complaintsByPolicy({ repositories: [] }, { access })).toEqual([])
  expect(placeOf({ ...access, remoteType: 'local' })).toBe('/etc')
  expect(placeOf({ ...access, remoteType: 'webdav' })).toBe('rclone:disk:/etc')
  expect(placeOf({ ...access, hasCredential: false })).toBe('rclone:disk:/etc')
})
