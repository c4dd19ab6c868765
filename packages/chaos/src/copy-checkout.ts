// A copy of the sources to break something in: the checkout itself is never touched.
import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { root } from '../../../scripts/processes.ts'

const run = promisify(execFile)
const ownPackages = ['packages/contract', 'packages/runtime', 'apps/server', 'apps/agent']
/** What a package is built of. Tests and what was built before stay where they are. */
const isSource = (file: string) => !/\/(dist|node_modules|\.turbo)(\/|$)|\.test\.ts$/.test(file)

/** One place in the sources that is changed: `find` must be there exactly once. */
export type Replacement = { file: string; find: string; replace: string }

/** Copies what the two programs are built of into `folder`, which must not exist yet. */
export async function copyCheckout(folder: string): Promise<void> {
  for (const each of ownPackages)
    await cp(path.join(root, each), path.join(folder, each), { recursive: true, filter: isSource })
  for (const each of ['drizzle', 'scripts'])
    await cp(path.join(root, each), path.join(folder, each), { recursive: true })
  for (const each of ['package.json', 'tsconfig.json'])
    await cp(path.join(root, each), path.join(folder, each))
  await linkModules(path.join(root, 'node_modules'), path.join(folder, 'node_modules'))
  await linkModules(
    path.join(root, 'apps/server/node_modules'),
    path.join(folder, 'apps/server/node_modules'),
  )
}

/** The packages of the checkout, except that our own are those of the copy. */
async function linkModules(from: string, to: string) {
  const names: string[] = await readdir(from).catch(() => [])
  await mkdir(to, { recursive: true })
  for (const name of names)
    if (name !== '@restic-manager') await symlink(path.join(from, name), path.join(to, name))
  if (!names.includes('@restic-manager')) return
  await mkdir(path.join(to, '@restic-manager'))
  for (const each of ownPackages)
    await symlink(path.join(path.dirname(to), each), path.join(to, '@restic-manager', path.basename(each)))
}

/** Breaks the copy. Throws when a place is not there exactly once: the sources have moved on. */
export async function breakCopy(folder: string, replacements: readonly Replacement[]): Promise<void> {
  for (const { file, find, replace } of replacements) {
    const name = path.join(folder, file)
    const [before = '', ...after] = (await readFile(name, 'utf8')).split(find)
    if (after.length !== 1)
      throw new Error(`${file} holds what is to be replaced ${after.length} times, not once: ${find}`)
    await writeFile(name, `${before}${replace}${after[0]}`)
  }
}

/** Builds both programs of a copy. */
export async function buildCopy(folder: string): Promise<void> {
  const rolldown = path.join(root, 'node_modules/rolldown/bin/cli.mjs')
  for (const each of ['apps/server', 'apps/agent'])
    await run(process.execPath, [rolldown, '-c', 'rolldown.config.ts'], { cwd: path.join(folder, each) })
}
