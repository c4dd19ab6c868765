// The programs that tests start by the hundred, each as one file: from the sources each start would compile them anew.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { glob, mkdir, readFile, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { InputOptions } from 'rolldown'
import { root } from './processes.ts'
import { withLock } from './project-lock.mjs'

/** Among the dependencies, so that it goes when those are installed anew. */
const kept = path.join(root, 'node_modules/.test-programs')
const dayMs = 86_400_000

/** Programs that are bundled together, and all the files that a change of must lead to another bundle. */
type Batch = { sources: string[]; bundleInto(folder: string): Promise<void> }

const entries = {
  server: 'apps/server/dist/main.js',
  admin: 'apps/server/dist/admin.js',
  agent: 'apps/agent/dist/main.js',
  /** The agent in a time that a test moves. */
  'agent-with-clock': 'apps/agent/dist/with-clock.js',
} as const

const programs: Batch = {
  sources: [
    '{apps/{server,agent},packages/{contract,runtime}}/{src/**/*.ts,*.{ts,json}}',
    'scripts/trpc-source.ts',
    'patches/*.patch',
  ],
  async bundleInto(folder) {
    const { default: serverBundle } = await import('../apps/server/rolldown.config.ts')
    const { default: agentBundle } = await import('../apps/agent/rolldown.config.ts')
    const server = { main: 'src/main.ts', admin: 'src/admin.ts' }
    await bundle({ ...serverBundle, cwd: path.join(root, 'apps/server'), input: server }, folder, 'dist')
    const agent = { main: 'src/main.ts', 'with-clock': 'src/testing-program.ts' }
    await bundle({ ...agentBundle, cwd: path.join(root, 'apps/agent'), input: agent }, folder, 'dist')
  },
}

const fakeRestic: Batch = {
  sources: ['packages/testkit/{src/**/*.ts,*.json}'],
  bundleInto: folder =>
    bundle(
      { cwd: path.join(root, 'packages/testkit'), input: 'src/fake-restic-main.ts', platform: 'node' },
      folder,
      'src',
    ),
}

const made = new Map<Batch, Promise<string>>()

/** The file of a program, made of what the sources were when this process first asked for one. */
export const testProgram = async (name: keyof typeof entries): Promise<string> =>
  path.join(await folderOf(programs), entries[name])

/** The same of the fake restic. */
export const fakeResticProgram = async (): Promise<string> =>
  path.join(await folderOf(fakeRestic), 'packages/testkit/src/fake-restic-main.js')

function folderOf(batch: Batch): Promise<string> {
  const known = made.get(batch) ?? makeOnce(batch)
  made.set(batch, known)
  return known
}

async function makeOnce(batch: Batch): Promise<string> {
  const folder = path.join(kept, await digestSources(batch))
  if (existsSync(folder)) return folder
  await withLock(`${kept}.lock`, async () => {
    if (existsSync(folder)) return
    await removeOld()
    const unfinished = `${folder}.unfinished`
    await rm(unfinished, { recursive: true, force: true })
    await layOut(unfinished)
    await batch.bundleInto(unfinished)
    await rename(unfinished, folder)
  })
  return folder
}

/** As in a checkout, since programs look for what they need from where they lie. */
async function layOut(folder: string): Promise<void> {
  for (const each of ['drizzle', 'node_modules', 'apps/server/node_modules', 'packages/testkit/captures']) {
    await mkdir(path.dirname(path.join(folder, each)), { recursive: true })
    if (existsSync(path.join(root, each))) await symlink(path.join(root, each), path.join(folder, each))
  }
  await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }\n')
}

async function bundle(
  options: InputOptions & { cwd: string },
  folder: string,
  below: 'dist' | 'src',
): Promise<void> {
  // Only now: loading it takes longer than finding what was made before.
  const { rolldown } = await import('rolldown')
  await using bundle = await rolldown(options)
  await bundle.write({ dir: path.join(folder, path.relative(root, options.cwd), below) })
}

async function digestSources({ sources }: Batch): Promise<string> {
  const files = await Array.fromAsync(glob(sources, { cwd: root, exclude: ['**/*.test.ts'] }))
  const digest = createHash('sha256')
  for (const file of [...files, 'package-lock.json', 'scripts/test-programs.ts'].toSorted())
    digest.update(`${file}\0`).update(await readFile(path.join(root, file)))
  return digest.digest('hex').slice(0, 16)
}

/** Nobody runs what was made yesterday. */
async function removeOld(): Promise<void> {
  const names: string[] = await readdir(kept).catch(() => [])
  for (const name of names) {
    const folder = path.join(kept, name)
    if ((await stat(folder)).mtimeMs < Date.now() - dayMs) await rm(folder, { recursive: true, force: true })
  }
}
