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
