// Promises of the address fields.
import { complaintAboutUrl } from '@restic-manager/contract/repository'
import { expect, test } from 'vitest'
import { composeUrl, splitUrl } from './repository-address.ts'

const known = [
  '/var/backups/restic/atlas',
  'C:\\backups\\atlas',
  'rest:https://backup.example.com:8000/atlas/',
  'sftp:backup@vault.example.net:/srv/restic',
  'sftp://backup@vault.example.net:2222//srv/restic',
  's3:https://s3.eu-central-1.amazonaws.com/acme-backup/atlas',
  's3:http://127.0.0.1:9000/bucket',
  'b2:acme-backup',
  'b2:acme-backup:hosts/atlas',
  'azure:backups:/atlas',
  'azure:backups:/',
  'gs:acme-backups:/hosts/atlas',
  'rclone:vault:hosts/atlas',
  'rclone:vault:',
]

test('an address survives the way into the fields and back', () => {
  for (const url of known) {
    expect(complaintAboutUrl(url)).toBeUndefined()
    expect(composeUrl(splitUrl(url))).toBe(url)
  }
})

test('a whole address pasted into a field is not doubled', () => {
  expect(composeUrl({ kind: 'rest', place: ' rest:https://h:8000/a/ ', endpoint: '', bucket: '' })).toBe(
    'rest:https://h:8000/a/',
  )
  expect(composeUrl({ kind: 's3', place: '', endpoint: 's3:https://h/', bucket: '/b/c' })).toBe(
    's3:https://h/b/c',
  )
  expect(composeUrl({ kind: 'gs', place: '', endpoint: '', bucket: 'gs:acme:/atlas' })).toBe('gs:acme:/atlas')
  expect(composeUrl({ kind: 'azure', place: '', endpoint: '', bucket: 'backups' })).toBe('azure:backups:/')
})
