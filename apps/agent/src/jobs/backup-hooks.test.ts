// The program after a backup puts right what the one before it changed: it runs even when the agent itself fails in between.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fakeRestic } from '@restic-manager/testkit/fake-restic'
import { jobBench } from '../testing-jobs.ts'
import type { HookCall } from './context.ts'
import { runJob } from './run.ts'

test('a backup that ends by a mistake of the agent has its last hook all the same', async () => {
  const fake = fakeRestic(mkdtempSync(join(tmpdir(), 'hooks-')), {})
  using bench = jobBench({ path: fake.path, version: '0.18.0' })
  const calls: HookCall[] = []
  const context = {
    ...bench.context,
    onStart: () => {
      throw new Error('the disk is full')
    },
    runHook: async (_: unknown, call: HookCall) => void calls.push(call),
  }
  const hook = { script: 'true' }
  const running = runJob('backup', context, { paths: ['/etc/hostname'], preHook: hook, postHook: hook })
  await expect(running).rejects.toThrow('the disk is full')
  expect(calls.map(({ name, environment }) => [name, environment.RM_STATUS])).toEqual([
    ['pre-hook', undefined],
    ['post-hook', 'failed'],
  ])
})
