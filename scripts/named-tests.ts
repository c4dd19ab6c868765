// Tests that a page of docs/ names, `e2e/alone`: three slots … ; its title … · `agent/src/plan`, and whether they are there.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
/** The short names of the places where tests lie; any other is an application. */
const areas: Record<string, string> = {
  e2e: 'apps/web/src/e2e',
  contract: 'packages/contract',
  bench: 'packages/bench',
  chaos: 'packages/chaos',
  testkit: 'packages/testkit',
  scripts: 'scripts',
}

/** A test file by its short name, and what the page says of the titles in it; none: the file as a whole. */
export type NamedTests = { path: string; titles: string[] }

/** What the last cells of the rows name, between a heading and the next one. Throws when there is no such heading. */
export function namedTests(page: string, heading: string): NamedTests[] {
  const [, section] = page.split(new RegExp(`^## ${heading}$`, 'm'))
  if (section === undefined) throw new Error(`no heading "${heading}"`)
  const rows = (section.split(/^## /m)[0] ?? '').split('\n').filter(line => /^\| (?!\|)(?!.*---)/.test(line))
  return rows.slice(1).flatMap(row => testsInCell(row.split('|').at(-2) ?? ''))
}

function testsInCell(cell: string): NamedTests[] {
  return [...cell.matchAll(/`((?:\w+\/)[\w/.-]+)`([^`]*)/g)].map(([, path = '', rest = '']) => ({
    path,
    titles: rest
      .replace(/^: /, '')
      .split(/ ; | · /)
      .map(title => title.trim())
      .filter(title => title !== '' && !title.startsWith('(')),
  }))
}

/** What is named and not there, as `path: title`. A title may be cut with ` …` and is looked for in the text of its file. */
export function missingTests(named: readonly NamedTests[]): string[] {
  return named.flatMap(({ path, titles }) => {
    const [area = '', ...rest] = path.split('/')
    const file = join(root, areas[area] ?? `apps/${area}`, ...rest) + '.test.ts'
    if (!existsSync(file)) return [path]
    const text = readFileSync(file, 'utf8').replaceAll(String.raw`\'`, "'")
    const parts = (title: string) => title.split('…').map(part => part.trim())
    return titles
      .filter(title => !parts(title).every(part => text.includes(part)))
      .map(title => `${path}: ${title}`)
  })
}
