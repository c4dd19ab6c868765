// Promises of the form that names a maintenance host.
import { RepositoryUpdateRequest } from '@restic-manager/contract/requests'
import type { RepositoryView } from '@restic-manager/contract/views'
import { expect, test } from 'vitest'
import {
  complaintsAboutMaintenance,
  keptMaintenance,
  maintenanceDraftOf,
  maintenanceRequest,
} from './maintenance-draft.ts'

const id = (end: string) => `019385a0-0000-7000-8000-0000000000${end}`
const atlas = { id: id('01'), name: 'atlas' }
const keeper = { id: id('02'), name: 'keeper' }
const vault = {
  id: id('0a'),
  version: 4,
  name: 'vault',
  kind: 'rest',
  url: 'rest:https://backup.example.com/vault/',
  username: 'atlas',
  environment: {},
  mayDelete: false,
  hosts: [atlas],
  maintenanceHost: null,
  adminUsername: null,
  ransomwareUnsafe: false,
  riskAcceptedBy: null,
} as unknown as RepositoryView

test('naming a host leaves everything else as it was, and sends only the secrets that were typed', () => {
  const request = maintenanceRequest(vault, {
    ...maintenanceDraftOf(vault),
    host: keeper,
    adminUsername: 'admin ',
  })
  expect(RepositoryUpdateRequest.safeParse(request).error).toBeUndefined()
  expect(request).toMatchObject({
    maintenanceHostId: keeper.id,
    username: 'atlas',
    adminUsername: 'admin',
    version: 4,
  })
  expect(request).not.toHaveProperty('adminCredential')
  expect(request).not.toHaveProperty('acceptsRisk')
})

test('a host that backs up there needs a word that the risk is taken', () => {
  const draft = { ...maintenanceDraftOf(vault), host: atlas }
  expect(complaintsAboutMaintenance(vault, draft).acceptsRisk).toContain('Accept')
  const accepted = { ...draft, acceptsRisk: true }
  expect(complaintsAboutMaintenance(vault, accepted)).toEqual({})
  expect(maintenanceRequest(vault, accepted)).toMatchObject({ acceptsRisk: true })
})

test('a backend without secrets is sent none', () => {
  const disk = { ...vault, kind: 'local', url: '/srv/restic', username: null } as RepositoryView
  const request = maintenanceRequest(disk, {
    host: keeper,
    adminUsername: 'a',
    adminCredential: 'b',
    acceptsRisk: true,
  })
  expect(Object.keys(request).filter(key => key.startsWith('admin'))).toEqual([])
})

test('an edit of something else keeps the admin user name', () => {
  expect(keptMaintenance({ adminUsername: 'admin' })).toEqual({ adminUsername: 'admin' })
  expect(keptMaintenance(vault)).toEqual({})
})
