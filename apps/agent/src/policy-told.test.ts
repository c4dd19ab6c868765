// What a server decides by the policy that a host told it is what the host itself decides by its file.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PolicySummary } from '@restic-manager/contract/agent'
import { complaintsByPolicy, remoteTypeOf } from '@restic-manager/contract/policy-rule'
import { bandwidthOf, complaintAboutWork } from './policy-orders.ts'
import { policySummary, readHostPolicy } from './policy.ts'
import { backupArgs } from './restic/args.ts'
import { testFolder } from './testing-folder.ts'

const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined })
const patterns = [
  '**',
  'rest:**',
  'rest:https://h/web/**',
  'rclone:**',
  's3:**',
  'azure:**',
  '/srv/*/r',
  '/mnt/**',
]
const names = ['RESTIC_CACERT', 'AWS_DEFAULT_REGION', 'AZURE_ENDPOINT_SUFFIX', 'LD_PRELOAD']
const limits = fc.record({
  uploadKibps: optional(fc.integer({ min: 1, max: 5 })),
  downloadKibps: optional(fc.integer({ min: 1, max: 5 })),
})

const files = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({
        hooks: optional(fc.constantFrom('off', 'listed', 'inline')),
        repositories: optional(fc.subarray(patterns)),
        environment: optional(fc.subarray(names)),
        limits,
      })
      .map(({ limits: own, ...rest }) => JSON.stringify({ ...rest, ...own })),
  },
  { weight: 1, arbitrary: fc.constantFrom('{ "hook": "off" }', '{', '[]') },
)
const accesses = fc.record({
  url: fc.constantFrom(
    ...['rest:https://h/web/a/', 'rest:https://h/web/../a/', 's3:https://h/bucket', 'azure:c:/a'],
    ...['rclone:disk:/mnt/a', 'rclone:disk:mnt', '/mnt/a', '/srv/a/r', '/mnt/../etc', '/etc'],
  ),
  credential: optional(fc.constantFrom('type = local', 'type = webdav\nurl = https://h/')),
  environment: optional(
    fc.subarray(names).map(own => Object.fromEntries(own.map(name => [name, '/no/such.pem']))),
  ),
})
/** The server takes no other secret for a storage that has no remotes. */
const fitting = accesses.map(({ url, environment, credential }) => {
  const isRemote = credential === undefined || url.startsWith('rclone:')
  return { url, environment, credential: isRemote ? credential : 'key' }
})
const hooks = optional(fc.constantFrom({ name: 'dump' }, { script: 'id' }))

test('server and host refuse the same work with the same words, and a speed above the limit is not what restic gets', () => {
  const folder = testFolder('rm-told-')
  const file = join(folder, 'policy.json')
  mkdirSync(join(folder, 'hooks'))
  writeFileSync(join(folder, 'hooks/dump'), '#!/bin/sh\n')
  chmodSync(join(folder, 'hooks/dump'), 0o755)
  const usual = { localFolder: '/var/backups/restic', restoreRoot: '/restores', knownPlaces: ['/srv/old'] }
  fc.assert(
    fc.property(files, fitting, hooks, hooks, limits, (text, access, preHook, postHook, options) => {
      writeFileSync(file, text, { mode: 0o644 })
      const policy = readHostPolicy(file, usual)
      const { url, environment, credential } = access
      const byHost = complaintAboutWork(policy, {
        spec: { paths: ['/home'], preHook, postHook, options },
        access,
      })

      const told = PolicySummary.parse(JSON.parse(JSON.stringify(policySummary(policy))))
      const byServer = complaintsByPolicy(told, {
        access: {
          url,
          environment,
          hasCredential: credential !== undefined,
          remoteType: remoteTypeOf(url, credential),
        },
        ...{ preHook, postHook, options },
      })
      const refused = byServer.find(({ code }) => code !== 'bandwidth_not_allowed')
      expect(refused?.message).toBe(byHost)

      const target = {
        access: { ...access, password: 'p' },
        version: '0.18.0',
        bandwidth: bandwidthOf(policy),
      }
      const args = backupArgs(target, { hostname: 'h', tags: [], excludes: [], lockWaitMs: 0, ...options })
      for (const [key, flag] of [
        ['uploadKibps', '--limit-upload'],
        ['downloadKibps', '--limit-download'],
      ] as const) {
        const asked = options[key]
        if (asked === undefined || policy.problem !== undefined) continue
        const at = args.findIndex(arg => arg.startsWith(flag))
        const given = args[at]?.includes('=') === true ? args[at].split('=')[1] : args[at + 1]
        expect(Number(given) !== asked).toBe(byServer.some(({ about }) => about === key))
      }
    }),
    { numRuns: 1_000 },
  )
})
