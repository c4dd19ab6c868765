// Promises of the repository form.
import { RepositoryCreateRequest } from '@restic-manager/contract/requests'
import { expect, test } from 'vitest'
import { complaintsAbout, createRequest, newDraft } from './repository-draft.ts'

const requestId = '0192b7e4-0000-7000-8000-000000000001'
const host = { id: '0192b7e4-0000-7000-8000-000000000002', name: 'atlas', os: 'linux' }

test('the pre-filled form can be sent as it is', () => {
  const draft = newDraft(host)
  expect(complaintsAbout(draft)).toEqual({})
  expect(RepositoryCreateRequest.safeParse(createRequest(draft, requestId)).success).toBe(true)
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
