// The real programs for tests: the restics of the matrix and what they talk to, fetched by the project's own script.
import { describe } from 'vitest'
import { ensureTool, type ToolName } from '../../../scripts/restic.mjs'

/** The oldest restic that is supported, and a current one. */
export const testedVersions = ['0.14.0', '0.18.0'] as const
export type TestedVersion = (typeof testedVersions)[number]

export type RealRestic = { version: TestedVersion; path: string }

/** A program, or why it cannot be had on this machine. */
export type Found = { path: string } | { missing: string }

/** A program, fetched when it is not there yet. Never rejects. */
export async function findTool(tool: ToolName): Promise<Found> {
  return ensureTool(tool).then(
    path => ({ path }),
    (error: unknown) => ({ missing: error instanceof Error ? error.message : String(error) }),
  )
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
export async function eachRestic(
  declare: (restic: RealRestic) => void,
  versions: readonly TestedVersion[] = testedVersions,
): Promise<void> {
  for (const version of versions) {
    const found = await findTool(version)
    const but = 'missing' in found ? ` (${found.missing})` : ''
    describe.skipIf('missing' in found)(`with restic ${version}${but}`, () => {
      declare({ version, path: 'path' in found ? found.path : '' })
    })
  }
}

/** Whether this is `npm run test:long`. */
export const isLongRun = process.env['RM_TEST_LONG'] === 'yes'

/** The same for tests that take minutes: with the current restic alone, unless `RM_TEST_LONG=yes` (`npm run test:long`) asks for each. */
export const currentRestic = (declare: (restic: RealRestic) => void): Promise<void> =>
  eachRestic(declare, isLongRun ? testedVersions : testedVersions.slice(-1))
