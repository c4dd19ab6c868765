// The fake restic keeps what the real one keeps.
import { execa } from 'execa'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { planForget } from './fake-restic-forget.ts'
import type { FakeSnapshot } from './fake-restic-ledger.ts'
import { makeLightRepository } from './light-repository.ts'
import { findTool } from './restic.ts'

const restic = await findTool('0.18.0')
const password = 'a password of tests'
const but = 'missing' in restic ? ` (${restic.missing})` : ''

/** Several a day, a gap, the turn of a year, and one on a leap day. */
const times = [
  '2024-02-29 12:00:00',
  '2025-12-31 23:30:00',
  '2026-01-01 00:30:00',
  '2026-01-04 10:00:00',
  '2026-01-05 10:00:00',
  '2026-01-05 10:20:00',
  '2026-01-05 18:00:00',
]

test.skipIf('missing' in restic)(`of the same snapshots, and for the same reasons${but}`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fake-forget-'))
  try {
    const source = join(folder, 'source')
    mkdirSync(source)
    writeFileSync(join(source, 'file'), 'content')
    const run = (...args: string[]) =>
      execa('path' in restic ? restic.path : '', ['-r', join(folder, 'r'), ...args], {
        env: { RESTIC_PASSWORD: password, RESTIC_CACHE_DIR: join(folder, 'cache'), TZ: 'UTC' },
        extendEnv: false,
      })
    makeLightRepository(join(folder, 'r'), password)
    for (const [at, time] of times.entries())
      await run('backup', '--host', 'web', '--time', time, ...(at === 0 ? ['--tag', 'keep'] : []), source)
    const snapshots = JSON.parse((await run('snapshots', '--json')).stdout) as FakeSnapshot[]
    const policies = [
      ['--keep-last=2'],
      ['--keep-hourly=2'],
      ['--keep-daily=3', '--keep-monthly=1'],
      ['--keep-weekly=2'],
      ['--keep-yearly=5'],
      ['--keep-within=2d'],
      ['--keep-within-daily=7d', '--keep-tag=keep'],
      ['--keep-last=1', '--keep-tag=keep'],
    ]
    for (const policy of policies) {
      const argv = ['forget', '--json', '--dry-run', ...policy, '--group-by', 'host']
      const real = JSON.parse((await run(...argv)).stdout) as ReturnType<typeof planForget>
      const fake = planForget(snapshots, argv)
      const summary = (groups: typeof real) =>
        groups.map(({ tags, host, paths, keep, remove, reasons }) => ({
          ...{
            policy,
            tags,
            host,
            paths,
            keep: keep?.map(({ id }) => id),
            remove: remove?.map(({ id }) => id),
          },
          reasons: reasons?.map(({ snapshot, matches }) => [snapshot.id, matches]),
        }))
      expect(summary(fake)).toEqual(summary(real))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})
