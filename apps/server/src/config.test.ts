// A setting that cannot be used is one sentence before anything starts: the variable, what was seen unless it is secret, what is accepted.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readConfig } from './config.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync('/tmp/rm-config-')
  writeFileSync(join(folder, 'words.pem'), 'no certificate at all')
  writeFileSync(join(folder, 'good.pem'), '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n')
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('the files of TLS', () => {
  test.each(['RM_TLS_CERT_FILE', 'RM_TLS_KEY_FILE', 'RM_TLS_CA_FILE'])('%s is there and holds PEM', name => {
    const both = { RM_TLS_CERT_FILE: join(folder, 'good.pem'), RM_TLS_KEY_FILE: join(folder, 'good.pem') }
    for (const file of ['nowhere.pem', 'words.pem', '.'])
      expect(() => readConfig({ ...both, [name]: join(folder, file) }), file).toThrow(
        `${name} is ${JSON.stringify(join(folder, file))}. Accepted: a PEM file that can be read.`,
      )
    expect(readConfig({ ...both, RM_TLS_CA_FILE: join(folder, 'good.pem') }).tls).toBeDefined()
  })
})

describe('a secret that cannot be used', () => {
  test.each(['RM_SECRET_KEY', 'RM_OLD_SECRET_KEY'])('%s is named, with what is accepted', name => {
    expect(() => readConfig({ [name]: 'abc' })).toThrow(
      `${name} is (not shown). Accepted: 32 random bytes as hex or base64.`,
    )
    for (const good of ['ab'.repeat(32), `${'A'.repeat(43)}=`]) readConfig({ [name]: good })
  })

  test('is not shown, whatever it looks like', () => {
    expect(() => readConfig({ RM_SECRET_KEY: 'https://canary.example/canary' })).toThrow(
      /^(?!.*canary).*not shown/,
    )
    expect(() => readConfig({ RM_METRICS_TOKEN: 'a://canary' })).toThrow(/^(?!.*canary).*not shown/)
  })

  test('of an address only the password is masked', () => {
    expect(() => readConfig({ DATABASE_URL: 'mysql://me:canary@db/x' })).toThrow('"mysql://me:***@db/x"')
    expect(() => readConfig({ DATABASE_URL: 'canary' })).toThrow(/^(?!.*canary).*not an address/)
  })
})
