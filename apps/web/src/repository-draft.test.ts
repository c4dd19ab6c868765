// Promises of the repository form.
import { usualPatterns } from '@restic-manager/contract/policy'
import { RepositoryCreateRequest } from '@restic-manager/contract/requests'
import { expect, test } from 'vitest'
import { complaintsAbout, createRequest, newDraft } from './repository-draft.ts'

const requestId = '0192b7e4-0000-7000-8000-000000000001'
const host = { id: '0192b7e4-0000-7000-8000-000000000002', name: 'atlas', os: 'linux', policy: null }

test('the pre-filled form can be sent as it is', () => {
  const draft = newDraft(host)
  expect(complaintsAbout(draft)).toEqual({})
  expect(RepositoryCreateRequest.safeParse(createRequest(draft, requestId)).success).toBe(true)
})

test('the pre-filled folder is one that the policy of the host allows', () => {
  const policy = { hooks: 'off' as const, repositories: usualPatterns('/srv/vault') }
  expect(newDraft({ ...host, policy }).place).toBe('/srv/vault/atlas')
  expect(newDraft({ ...host, policy: { hooks: 'off', repositories: ['rest:**'] } }).place).toBe(
    '/var/backups/restic/atlas',
  )
})

test('what another backend was given does not travel along', () => {
  const request = createRequest({ ...newDraft(host), username: 'u', credential: 's', region: 'r' }, requestId)
  expect(request).not.toHaveProperty('username')
  expect(request).not.toHaveProperty('credential')
  expect(request.environment).toEqual({})
})

test('a typed password is sent only when the operator chose to give one', () => {
  expect(createRequest({ ...newDraft(host), password: 'typed' }, requestId)).not.toHaveProperty('password')
  expect(createRequest({ ...newDraft(host), password: 'typed', ownPassword: true }, requestId)).toMatchObject(
    { password: 'typed' },
  )
})

test('complaints stand at the field they are about', () => {
  expect(complaintsAbout({ ...newDraft(host), place: 'relative/path' }).place).toContain('absolute path')
  expect(
    complaintsAbout({ ...newDraft(host), kind: 's3', endpoint: 'https://h', bucket: '' }).bucket,
  ).toContain('bucket')
  expect(complaintsAbout({ ...newDraft(host), name: ' ' }).name).toBeDefined()
  expect(complaintsAbout({ ...newDraft(host), ownPassword: true }).password).toBeDefined()
  expect(complaintsAbout({ ...newDraft(host), kind: 'rest', place: 'https://u:p@h/' }).place).toContain(
    'own fields',
  )
})

test('each kind of storage can be filled in, and says what is missing at its own field', () => {
  const draft = newDraft(host)
  const key = '{"type":"service_account"}'
  const filled = {
    b2: { bucket: 'acme-backup', place: '' },
    azure: { bucket: 'backups', place: '/atlas' },
    gs: { bucket: 'acme-backups', place: '/atlas', credential: key },
    rclone: { bucket: 'vault', place: 'atlas', credential: '[vault]\ntype = ftp\nhost = h' },
  } as const
  for (const [kind, fields] of Object.entries(filled) as [keyof typeof filled, object][]) {
    expect(complaintsAbout({ ...draft, kind, ...fields })).toEqual({})
    expect(complaintsAbout({ ...draft, kind, ...fields, bucket: '' }).bucket).toMatch(/^Enter the /)
  }
  expect(complaintsAbout({ ...draft, kind: 'gs', bucket: 'b2b', credential: 'x' }).credential).toContain(
    'JSON',
  )
  expect(
    complaintsAbout({ ...draft, kind: 'rclone', bucket: 'vault', credential: 'type = sftp\nssh = id' })
      .credential,
  ).toContain('"ssh" may not be set')
  expect(
    complaintsAbout({ ...draft, kind: 'rest', place: 'https://h/', authorities: 'own.pem' }).authorities,
  ).toContain('absolute path')
})
