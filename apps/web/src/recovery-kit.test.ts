// Promises of the recovery kit.
import { expect, test } from 'vitest'
import { recoveryKit } from './recovery-kit.ts'

const madeAt = new Date('2026-11-23T10:00:00.000Z')

test('a password with every awkward character stays one word of the shell', () => {
  const kit = recoveryKit({ name: 'a', kind: 'local', url: "/mnt/it's here", password: `a'b"$c\`d`, madeAt })
  expect(kit).toContain(`export RESTIC_PASSWORD='a'\\''b"$c\`d'`)
  expect(kit).toContain(`export RESTIC_REPOSITORY='/mnt/it'\\''s here'`)
})

test('holds the storage credentials under the names restic reads', () => {
  const kit = recoveryKit({
    name: 'a',
    kind: 's3',
    url: 's3:https://h/b',
    password: 'p',
    username: 'KEY',
    credential: 'SECRET',
    environment: { AWS_DEFAULT_REGION: 'eu-central-1' },
    madeAt,
  })
  expect(kit).toContain("export AWS_ACCESS_KEY_ID='KEY'")
  expect(kit).toContain("export AWS_SECRET_ACCESS_KEY='SECRET'")
  expect(kit).toContain("export AWS_DEFAULT_REGION='eu-central-1'")
})

test('leaves out what was not given', () => {
  expect(
    recoveryKit({ name: 'a', kind: 'rest', url: 'rest:https://h/', password: 'p', madeAt }),
  ).not.toContain('RESTIC_REST')
})

const kit = { name: 'a', password: 'p', madeAt }

test('holds what each store asks for, as restic reads it', () => {
  const b2 = recoveryKit({ ...kit, kind: 'b2', url: 'b2:acme', username: 'ID', credential: 'KEY' })
  expect(b2).toContain("export B2_ACCOUNT_ID='ID'\nexport B2_ACCOUNT_KEY='KEY'")
  const azure = { ...kit, kind: 'azure', url: 'azure:backups:/', username: 'acme' } as const
  expect(recoveryKit({ ...azure, credential: 'a2V5' })).toContain("export AZURE_ACCOUNT_KEY='a2V5'")
  const sas = recoveryKit({ ...azure, credential: 'sv=2024&sig=x%3D' })
  expect(sas).toContain("export AZURE_ACCOUNT_SAS='sv=2024&sig=x%3D'")
  expect(sas).not.toContain('AZURE_ACCOUNT_KEY')
})

test('a Google key goes into a file that restic is pointed to', () => {
  const key = '{\n  "type": "service_account",\n  "private_key": "it\'s"\n}'
  const text = recoveryKit({ ...kit, kind: 'gs', url: 'gs:acme:/', username: '', credential: key })
  expect(text).toContain(`printf %s '${key.replace("'", "'\\''")}' > google-key.json`)
  expect(text).toContain('export GOOGLE_APPLICATION_CREDENTIALS="$PWD/google-key.json"')
  expect(text).not.toContain('GOOGLE_PROJECT_ID')
})

test('an rclone remote is spelt out, or named where the hosts have it themselves', () => {
  const rclone = { ...kit, kind: 'rclone', url: 'rclone:vault:x' } as const
  expect(recoveryKit({ ...rclone, credential: '[vault]\ntype = ftp\nhost = files.lan' })).toContain(
    "export RCLONE_CONFIG_VAULT_TYPE='ftp'\nexport RCLONE_CONFIG_VAULT_HOST='files.lan'",
  )
  expect(recoveryKit(rclone)).toContain('with a remote "vault"')
})

test('says which further file the machine needs', () => {
  const environment = { RESTIC_CACERT: '/etc/ssl/own.pem' }
  const text = recoveryKit({ ...kit, kind: 'rest', url: 'rest:https://h/', environment })
  expect(text).toContain("export RESTIC_CACERT='/etc/ssl/own.pem'")
  expect(text).toContain('needs the file /etc/ssl/own.pem')
})

test('holds the hosts, and the access that may delete where that is another one', () => {
  const rest = {
    ...kit,
    kind: 'rest',
    url: 'rest:https://h/r',
    username: 'everyday',
    credential: 'one',
  } as const
  const text = recoveryKit({
    ...rest,
    hosts: ['web-1', 'db-1'],
    adminUsername: 'admin',
    adminCredential: 'two',
  })
  expect(text).toContain('Hosts     web-1, db-1\n')
  expect(text).toMatch(
    /RESTIC_REST_PASSWORD='one'\nrestic snapshots[^]*To forget or prune as well, .*\n\nexport RESTIC_REST_USERNAME='admin'\nexport RESTIC_REST_PASSWORD='two'\n/,
  )
  expect(recoveryKit(rest)).not.toMatch(/Hosts|To forget/)
})
