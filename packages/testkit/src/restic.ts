// Real restics for tests: the ones to test with, and a plain repository to compare a product's work with.
import { execa } from 'execa'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe } from 'vitest'

/** The oldest restic that is supported, and a current one. */
export const testedVersions = ['0.14.0', '0.18.0'] as const
export type TestedVersion = (typeof testedVersions)[number]

export type RealRestic = { version: TestedVersion; path: string }

/** A tool of the matrix, or why it could not be had on this machine. */
export type Found = { path: string } | { missing: string }

const root = join(import.meta.dirname, '..', '..', '..')
let asked: Promise<Record<string, Found>> | undefined

/** A tool of the matrix (`0.14.0`, `0.18.0`, `rest-server`), fetched on first use. Never rejects. */
export async function findTool(tool: TestedVersion | 'rest-server'): Promise<Found> {
  asked ??= askForTools()
  return (await asked)[tool] ?? { missing: `scripts/restic.mjs did not answer for ${tool}` }
}

/** The real restics that can be had here, oldest first. */
export async function resticMatrix(): Promise<RealRestic[]> {
  const found = await Promise.all(
    testedVersions.map(async version => ({ version, ...(await findTool(version)) })),
  )
  return found.flatMap(each => ('path' in each ? { version: each.version, path: each.path } : []))
}

/**
 * Declares the same tests once for each restic of the matrix. Await it at the top of a test file. A restic that
 * cannot be had here shows up with its tests skipped, and says why.
 */
export async function eachRestic(declare: (restic: RealRestic) => void): Promise<void> {
  for (const version of testedVersions) {
    const found = await findTool(version)
    const but = 'missing' in found ? ` (${found.missing})` : ''
    describe.skipIf('missing' in found)(`with restic ${version}${but}`, () => {
      declare({ version, path: 'path' in found ? found.path : '' })
    })
  }
}

async function askForTools(): Promise<Record<string, Found>> {
  const wanted = [...testedVersions, 'rest-server']
  const script = join(root, 'scripts', 'restic.mjs')
  const { stdout, stderr } = await execa(process.execPath, [script, 'ensure', ...wanted], {
    reject: false,
    stdin: 'ignore',
  })
  const paths: Record<string, string | null> = stdout.startsWith('{')
    ? JSON.parse(stdout)
    : {
        '0.14.0': '/usr/bin/restic',
        '0.18.0': join(root, '.tools/restic/0.18.0/restic'),
        'rest-server': join(root, '.tools/rest-server/0.13.0/restic-rest-server'),
      }
  const why = stderr.trim().split('\n').at(-1) || 'could not be had on this machine'
  const found = (tool: string): Found => {
    const path = paths[tool]
    return path != null && existsSync(path) ? { path } : { missing: why }
  }
  return Object.fromEntries(wanted.map(tool => [tool, found(tool)]))
}
