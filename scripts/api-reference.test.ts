// The API reference is what the routers are: every procedure has its docstring, and docs/api.md was written from them.
import { readFile } from 'node:fs/promises'
import { beforeAll, expect, test } from 'vitest'
import { makeReference, referenceFile } from './api-reference.ts'

let made: Awaited<ReturnType<typeof makeReference>>
beforeAll(async () => {
  made = await makeReference()
})

test('every procedure says what it is for, and names only refusals that there are', () => {
  expect(made.faults).toEqual([])
})

test('docs/api.md is in step; `npm run api-reference` writes it', async () => {
  expect(await readFile(referenceFile, 'utf8')).toBe(made.text)
})
