// A document for each page, which names the files of that page: a browser asks for them at once, not after the first script has run.
import { extname } from 'node:path'
import type { Plugin, Rolldown } from 'vite'

/** Addresses as the router has them, and the file of `src/pages` that stands there. */
export const pages = {
  '/': 'overview',
  '/sign-in': 'sign-in',
  '/setup': 'set-up',
  '/invitation': 'invitation',
  '/attention': 'attention',
  '/hosts': 'hosts',
  '/hosts/$hostId': 'host',
  '/hosts/$hostId/schedules/add': 'schedule',
  '/schedules/$scheduleId': 'schedule',
  '/jobs': 'jobs',
  '/jobs/$jobId': 'job',
  '/snapshots': 'snapshots',
  '/repositories': 'repositories',
  '/repositories/add': 'add-repository',
  '/repositories/$repositoryId': 'repository',
  '/settings': 'settings',
  '/settings/users': 'users',
  '/settings/sign-in': 'settings-sign-in',
  '/settings/audit': 'audit',
  '/settings/about': 'about',
  '/account': 'account',
} as const satisfies Record<`/${string}`, string>

type Output = Rolldown.OutputBundle
type Chunk = Rolldown.OutputChunk

/** Where the document of an address lies in the built page: below `documents`, by its own name. */
const documentOf = (address: string) => `documents${address === '/' ? '/index' : address}.html`

/** A step of a build. `index.html` stays as it is, for any other address. */
export function documents(): Plugin {
  return {
    name: 'documents',
    apply: 'build',
    enforce: 'post',
    generateBundle(_options, output) {
      const html = output['index.html']
      const chunks = Object.values(output).filter(each => each.type === 'chunk')
      const entry = chunks.find(chunk => chunk.isEntry)
      if (html?.type !== 'asset' || entry === undefined) throw new Error('The build made no index.html.')
      const there = filesOf(entry, output)
      for (const [address, file] of Object.entries(pages)) {
        const chunk = chunks.find(({ facadeModuleId }) => facadeModuleId?.endsWith(`/src/pages/${file}.tsx`))
        if (chunk === undefined) throw new Error(`The page ${file}.tsx is no chunk of its own.`)
        const links = [...filesOf(chunk, output).difference(there)].map(linkTo)
        const source = String(html.source).replace('</head>', `${links.join('')}</head>`)
        this.emitFile({ type: 'asset', fileName: documentOf(address), source })
      }
      const named = new Set<string>(Object.values(pages))
      for (const { facadeModuleId } of chunks) {
        const file = /\/src\/pages\/([^/]+)\.tsx$/.exec(facadeModuleId ?? '')?.[1]
        if (file !== undefined && !named.has(file)) throw new Error(`No address names the page ${file}.tsx.`)
      }
    },
  }
}

/** A chunk, all it imports without waiting for anything, and their styles. */
function filesOf(chunk: Chunk, output: Output, found = new Set<string>()): Set<string> {
  if (found.has(chunk.fileName)) return found
  found.add(chunk.fileName)
  for (const name of chunk.imports) {
    const imported = output[name]
    if (imported?.type === 'chunk') filesOf(imported, output, found)
  }
  for (const style of chunk.viteMetadata?.importedCss ?? []) found.add(style)
  return found
}

/** As the loader of Vite writes it, which looks whether it is there. */
const linkTo = (file: string) =>
  extname(file) === '.css'
    ? `<link rel="stylesheet" crossorigin href="/${file}">`
    : `<link rel="modulepreload" crossorigin href="/${file}">`
