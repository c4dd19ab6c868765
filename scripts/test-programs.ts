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

const entries = {
  server: 'apps/server/dist/main.js',
  admin: 'apps/server/dist/admin.js',
  agent: 'apps/agent/dist/main.js',
  /** The agent in a time that a test moves. */
  'agent-with-clock': 'apps/agent/dist/with-clock.js',
} as const

let made: Promise<string> | undefined

/** The file of a program, made of what the sources were when this process first asked for one. */
export async function testProgram(name: keyof typeof entries): Promise<string> {
  made ??= bundlePrograms()
  return path.join(await made, entries[name])
}

async function bundlePrograms(): Promise<string> {
  const folder = path.join(kept, await digestSources())
  if (existsSync(folder)) return folder
  await withLock(`${kept}.lock`, async () => {
    if (existsSync(folder)) return
    await removeOld()
    const unfinished = `${folder}.unfinished`
    await rm(unfinished, { recursive: true, force: true })
    await bundleInto(unfinished)
    await rename(unfinished, folder)
  })
  return folder
}

/** Lays them out as in a checkout, since they look for what they need from where they lie. */
async function bundleInto(folder: string): Promise<void> {
  await mkdir(path.join(folder, 'apps/server'), { recursive: true })
  for (const each of ['drizzle', 'node_modules', 'apps/server/node_modules'])
    if (existsSync(path.join(root, each))) await symlink(path.join(root, each), path.join(folder, each))
  await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }\n')
  const { default: serverBundle } = await import('../apps/server/rolldown.config.ts')
  const { default: agentBundle } = await import('../apps/agent/rolldown.config.ts')
  const server = { main: 'src/main.ts', admin: 'src/admin.ts' }
  await bundle({ ...serverBundle, cwd: path.join(root, 'apps/server'), input: server }, folder)
  const agent = { main: 'src/main.ts', 'with-clock': 'src/testing-program.ts' }
  await bundle({ ...agentBundle, cwd: path.join(root, 'apps/agent'), input: agent }, folder)
}

async function bundle(options: InputOptions & { cwd: string }, folder: string): Promise<void> {
  // Only now: loading it takes longer than finding what was made before.
  const { rolldown } = await import('rolldown')
  await using bundle = await rolldown(options)
  await bundle.write({ dir: path.join(folder, path.relative(root, options.cwd), 'dist') })
}

/** What the programs are made of: their sources, the packages they are bundled with, and how. */
async function digestSources(): Promise<string> {
  const files = await Array.fromAsync(
    glob(['{apps/{server,agent},packages/{contract,runtime}}/{src/**/*.ts,*.{ts,json}}', 'patches/*.patch'], {
      cwd: root,
      exclude: ['**/*.test.ts'],
    }),
  )
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
