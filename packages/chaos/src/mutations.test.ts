// Whether the guards that are broken on purpose are still where they were.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../../../scripts/processes.ts'
import { mutations } from './mutations.ts'

test.each(mutations)('$guard can be broken: each place is in the sources once', async ({ replacements }) => {
  for (const { file, find, replace } of replacements) {
    const source = await readFile(path.join(root, file), 'utf8')
    expect({ file, times: source.split(find).length - 1 }).toEqual({ file, times: 1 })
    expect(replace).not.toBe(find)
  }
})
