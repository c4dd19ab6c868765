// Promises of the first sight of a page: the browser is told early what it needs, and needs no schema to show what it reads.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { pages } from '../documents.ts'

const here = import.meta.dirname
const contract = path.resolve(here, '../../../packages/contract/src')

/** What a file imports as a value and without waiting for it: files of ours by their path, packages by their name. */
async function importsOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8')
  const found = text.matchAll(/^(?:import|export) (?!type )(?:([^'"]*?) from )?'([^']+)'/gm)
  return [...found].flatMap(([, names = '*', from = '']) => {
    const named = /^\{([^}]*)\}$/.exec(names.trim())?.[1]
    const onlyTypes = named?.split(',').every(name => name.trim() === '' || name.trim().startsWith('type '))
    if (onlyTypes === true) return []
    if (from.startsWith('.')) return [path.resolve(path.dirname(file), from)]
    const ofContract = /^@restic-manager\/contract\/(.*)$/.exec(from)?.[1]
    return [ofContract === undefined ? from : path.join(contract, `${ofContract}.ts`)]
  })
}

/** The way from a page to something it imports, whatever lies between; undefined when there is none. */
async function wayTo(wanted: string, from: string): Promise<string[] | undefined> {
  const seen = new Set([from])
  const ways = [[from]]
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    const last = way.at(-1) ?? ''
    if (last === wanted) return way.map(file => path.basename(file))
    if (!/\.tsx?$/.test(last) || !existsSync(last)) continue
    for (const next of await importsOf(last)) {
      if (seen.has(next)) continue
      seen.add(next)
      ways.push([...way, next])
    }
  }
  return undefined
}

test.each(['overview', 'hosts', 'jobs', 'snapshots', 'repositories', 'repository'])(
  'the page %s shows what it reads before any schema is loaded: those come with the forms',
  async page => {
    expect(await wayTo('zod', path.join(here, 'pages', `${page}.tsx`))).toBeUndefined()
  },
)

test('every address that has a page has a document that names the files of that page', async () => {
  const router = await readFile(path.join(here, 'router.tsx'), 'utf8')
  const routes = router.matchAll(
    /path: '([^']+)',(?:(?!createRoute)[\s\S])*?import\('\.\/pages\/([\w-]+)\.tsx'\)/g,
  )
  const found = Object.fromEntries([...routes].map(([, address = '', file = '']) => [address, file]))
  expect(Object.keys(found).length).toBe(router.split("import('./pages/").length - 1)
  expect(found).toEqual(pages)
})
