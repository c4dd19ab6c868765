// tRPC bundled from its own sources instead of from what is published next to them.
import { createRequire } from 'node:module'
import path from 'node:path'
import type { Plugin } from 'rolldown'

const folder = path.dirname(createRequire(import.meta.url).resolve('@trpc/server/package.json'))

/** What the published build calls for each spread of an object, because it is written for older runtimes. */
const downLevelled = /objectSpread/i

/**
 * Makes imports of `@trpc/server` lead to its sources, which halves what a call costs. They are no promised API: the version is
 * pinned, and a build into which the published code came all the same fails.
 */
export function trpcFromSource(): Plugin {
  return { name: 'trpc-from-source', resolveId: resolveToSource, generateBundle: refuseDownLevelled }
}

const resolveToSource: NonNullable<Plugin['resolveId']> = function (source, importer) {
  const within = /^@trpc\/server(?:\/(.+))?$/.exec(source)
  if (within === null) return undefined
  return this.resolve(path.join(folder, 'src', within[1] ?? 'index'), importer, { skipSelf: true })
}

/** Fails a bundle that holds code of tRPC for older runtimes. Exported so that a test can do without the other half. */
export const refuseDownLevelled: NonNullable<Plugin['generateBundle']> = function (_options, bundle) {
  for (const file of Object.values(bundle))
    for (const [id, { code }] of Object.entries('modules' in file ? file.modules : {}))
      if (id.includes('/@trpc/') && downLevelled.test(code ?? ''))
        this.error(`The bundle holds ${id}, which is written for older runtimes.`)
}
