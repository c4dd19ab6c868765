// The lockfile has to be complete for every platform, else `npm ci` refuses it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { missingEntries } from './complete-lockfile.mjs'

test('the lockfile resolves every optional package of every platform', () => {
  const lock = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package-lock.json'), 'utf8'))
  const advice = 'run `node scripts/complete-lockfile.mjs` after `npm install`'
  expect(Object.keys(missingEntries(lock)), advice).toEqual([])
})

test('a package that another version hides is named beside the one who asks', () => {
  const entry = { version: '1.0.0' }
  const asks = { version: '2.0.0', dev: true, optionalDependencies: { '@x/linux-arm64-musl': '2.0.0' } }
  const lock = {
    packages: { 'node_modules/@x/linux-arm64-musl': entry, 'node_modules/y/node_modules/x': asks },
  }
  expect(missingEntries(lock)).toEqual({
    'node_modules/y/node_modules/x/node_modules/@x/linux-arm64-musl': {
      version: '2.0.0',
      dev: true,
      optional: true,
      os: ['linux'],
      cpu: ['arm64'],
      libc: ['musl'],
    },
  })
})
