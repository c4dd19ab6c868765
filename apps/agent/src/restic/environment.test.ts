// What each store's access becomes. B2, Azure and Google Cloud Storage are only shown here, not against the real services.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { backupArgs } from './args.ts'
import {
  accessEnvironment,
  baseEnvironment,
  keyFileText,
  secretsOf,
  visibleEnvironment,
  type Access,
} from './environment.ts'
import { lendAccess } from './lend-access.ts'
import { makeRedactor } from './redact.ts'

const password = 'pass%word'
const googleKey = JSON.stringify(
  {
    type: 'service_account',
    project_id: 'acme',
    private_key_id: '0123456789abcdef',
    private_key: '-----BEGIN PRIVATE KEY-----\nMIIEcanary\n-----END PRIVATE KEY-----\n',
    client_email: 'backup@acme.iam.gserviceaccount.com',
  },
  null,
  2,
)
const b2: Access = { url: 'b2:acme:atlas', password, username: 'key-id', credential: 'canary-key' }
const azure: Access = {
  url: 'azure:backups:/atlas',
  password,
  username: 'acme',
  credential: 'Y2FuYXJ5LWtleQ==',
}
const sas: Access = { ...azure, credential: 'sv=2024-11-04&sp=rwl&sig=canary%2Bsignature%3D' }
const gs: Access = { url: 'gs:acme:/atlas', password, username: 'acme-project', credential: googleKey }
const rclone: Access = {
  url: 'rclone:vault:atlas',
  password,
  credential:
    '[vault]\ntype = drive\nclient_secret = canary-secret\ntoken = {"access_token":"canary-access","expiry":"2026-11-23T10:00:00Z"}\n',
}
const own = (access: Access) => {
  const { RESTIC_REPOSITORY, RESTIC_PASSWORD, ...rest } = accessEnvironment(access, '0.18.0')
  expect([RESTIC_REPOSITORY, RESTIC_PASSWORD]).toEqual([access.url, password])
  return rest
}

test('each store gets its credentials under the names its library reads', () => {
  expect(own(b2)).toEqual({ B2_ACCOUNT_ID: 'key-id', B2_ACCOUNT_KEY: 'canary-key' })
  expect(own(azure)).toEqual({ AZURE_ACCOUNT_NAME: 'acme', AZURE_ACCOUNT_KEY: 'Y2FuYXJ5LWtleQ==' })
  expect(own(sas)).toEqual({ AZURE_ACCOUNT_NAME: 'acme', AZURE_ACCOUNT_SAS: sas.credential })
  expect(
    own({ ...azure, environment: { AZURE_ENDPOINT_SUFFIX: 'core.example', PATH: '/evil' } }),
  ).toMatchObject({ AZURE_ENDPOINT_SUFFIX: 'core.example' })
  expect(own(gs)).toEqual({ GOOGLE_PROJECT_ID: 'acme-project' })
  expect(accessEnvironment(gs, '0.18.0', '/m/key.json')).toMatchObject({
    GOOGLE_APPLICATION_CREDENTIALS: '/m/key.json',
  })
  expect(own(rclone)).toEqual({
    RCLONE_CONFIG: '/dev/null',
    RCLONE_CONFIG_VAULT_TYPE: 'drive',
    RCLONE_CONFIG_VAULT_CLIENT_SECRET: 'canary-secret',
    RCLONE_CONFIG_VAULT_TOKEN: '{"access_token":"canary-access","expiry":"2026-11-23T10:00:00Z"}',
  })
})

test('a remote without a section is the one in the configuration of the host', () => {
  expect(own({ url: 'rclone:vault:atlas', password })).toEqual({})
})

test('a section that may not be used reaches nothing, whoever sent it', () => {
  const credential = 'type = sftp\nhost = h\nssh = touch /tmp/owned'
  expect(own({ ...rclone, credential })).toEqual({ RCLONE_CONFIG: '/dev/null' })
})

test('a file of authorities is also told in the way that an old restic understands', () => {
  const environment = { RESTIC_CACERT: '/etc/ssl/own.pem' }
  const rest: Access = { url: 'rest:https://h/', password, environment }
  expect(own(rest)).toEqual({ RESTIC_CACERT: '/etc/ssl/own.pem', SSL_CERT_FILE: '/etc/ssl/own.pem' })
  expect(visibleEnvironment(rest, '0.14.0')).toContainEqual(['RESTIC_CACERT', '/etc/ssl/own.pem'])
})

test('a Google key lies in a file of its own while restic runs, for nobody else, and is gone afterwards', () => {
  const temp = mkdtempSync(join(tmpdir(), 'lend-'))
  let file: string
  {
    using lent = lendAccess(gs, '0.18.0', { cache: temp, temp })
    file = lent.env.GOOGLE_APPLICATION_CREDENTIALS as string
    expect(readFileSync(file, 'utf8')).toBe(googleKey)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(dirname(file)).mode & 0o777).toBe(0o700)
    if (process.platform === 'linux') expect(file).toMatch(/^\/dev\/shm\//)
  }
  expect(() => statSync(dirname(file))).toThrow('ENOENT')
  expect(readdirSync(temp)).toEqual([])
  rmSync(temp, { recursive: true })
})

test('a Google key of a type that runs programs is not given to anybody', () => {
  const credential = JSON.stringify({ type: 'external_account', credential_source: { executable: {} } })
  expect(keyFileText({ ...gs, credential })).toBeUndefined()
})

test.each([
  ['b2', b2],
  ['azure', azure],
  ['azure with a token', sas],
  ['gs', gs],
  ['rclone', rclone],
])('no secret of %s stands in arguments, in what is shown, or survives in a line', (_, access) => {
  const target = { access, version: '0.18.0' }
  const shown = [
    ...backupArgs(target, { hostname: 'h1', tags: [], excludes: [], lockWaitMs: 1 }, { paths: '/t/list' }),
    ...visibleEnvironment(access, '0.18.0').flat(),
  ].join('\n')
  expect(shown).not.toMatch(/canary|Y2FuYXJ5|pass%word/)
  const redact = makeRedactor(secretsOf(access))
  const lines = [...Object.values(accessEnvironment(access, '0.18.0')), access.credential].join('\n')
  expect(lines.split('\n').map(redact).join('\n')).not.toMatch(/canary|Y2FuYXJ5|pass%word/)
})

test('what is no secret stays readable', () => {
  const redact = makeRedactor(secretsOf(rclone))
  expect(redact('rclone: type = drive, atlas')).toBe('rclone: type = drive, atlas')
})

test('the folder of the owner comes first where ssh and rclone are looked for', () => {
  const folders = { cache: '/c', temp: '/t' }
  expect(baseEnvironment(folders, 'linux').PATH).toMatch(/^\/usr\/local\/sbin:/)
  expect(baseEnvironment({ ...folders, programs: '/opt/tools' }, 'linux').PATH).toMatch(
    /^\/opt\/tools:\/usr\//,
  )
  expect(baseEnvironment(folders, 'darwin').PATH).toContain('/opt/homebrew/bin')
  expect(baseEnvironment(folders, 'win32')).toMatchObject({
    PATH: expect.stringContaining('C:\\Windows\\System32\\OpenSSH;'),
    TEMP: '/t',
    TMP: '/t',
  })
})
