// The server is bundled with the sources of tRPC, never with what is published next to them.
import path from 'node:path'
import { rolldown, type Plugin } from 'rolldown'
import { expect, test } from 'vitest'
import { refuseDownLevelled, trpcFromSource } from './trpc-source.ts'

const router = path.resolve(import.meta.dirname, '../apps/server/src/agent-api/trpc.ts')

async function bundleOf(plugin: Plugin) {
  const build = await rolldown({ input: router, platform: 'node', plugins: [plugin], treeshake: false })
  const { output } = await build.generate()
  await build.close()
  return output[0].moduleIds.filter(id => id.includes('/@trpc/'))
}

test('every module of tRPC in a bundle comes from its sources', async () => {
  const modules = await bundleOf(trpcFromSource())
  expect(modules.length).toBeGreaterThan(5)
  expect(modules.filter(id => !id.includes('/@trpc/server/src/'))).toEqual([])
})

test('a bundle with what is published fails by name', async () => {
  const plugin: Plugin = { name: 'only-refuse', generateBundle: refuseDownLevelled }
  await expect(bundleOf(plugin)).rejects.toThrow(/written for older runtimes/)
})
