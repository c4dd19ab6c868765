// Whether the guards that are broken on purpose are still where they were, and what they are broken in can be built.
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../../../scripts/processes.ts'
import { buildCopy, copyCheckout } from './copy-checkout.ts'
import { mutations } from './mutations.ts'

test.each(mutations)('$guard can be broken: each place is in the sources once', async ({ replacements }) => {
  for (const { file, find, replace } of replacements) {
    const source = await readFile(path.join(root, file), 'utf8')
    expect({ file, times: source.split(find).length - 1 }).toEqual({ file, times: 1 })
    expect(replace).not.toBe(find)
  }
})

test('both programs can be built of a copy of the sources', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'rm-copy-'))
  try {
    const checkout = path.join(folder, 'checkout')
    await copyCheckout(checkout)
    await buildCopy(checkout)
    for (const program of ['apps/server/dist/main.js', 'apps/agent/dist/agent.cjs'])
      expect((await stat(path.join(checkout, program))).size).toBeGreaterThan(0)
  } finally {
    await rm(folder, { recursive: true })
  }
})
