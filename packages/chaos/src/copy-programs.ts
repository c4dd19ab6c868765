// The built programs, copied away from the checkout: a build that somebody makes meanwhile changes nothing in a run.
import { cp, mkdir, symlink } from 'node:fs/promises'
import path from 'node:path'
import { root } from '../../../scripts/processes.ts'

/** Which built programs take part. */
export type Entries = { server: string; admin: string; agent: string }

/** Copies what `from`, a checkout or a copy of one, has built into `folder`, with what it needs to run there. */
export async function copyPrograms(folder: string, from = root): Promise<Entries> {
  for (const each of ['apps/server/package.json', 'apps/server/dist', 'apps/agent/dist', 'drizzle']) {
    await mkdir(path.dirname(path.join(folder, each)), { recursive: true })
    await cp(path.join(from, each), path.join(folder, each), { recursive: true })
  }
  await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'))
  return {
    server: path.join(folder, 'apps/server/dist/main.js'),
    admin: path.join(folder, 'apps/server/dist/admin.js'),
    agent: path.join(folder, 'apps/agent/dist/agent.cjs'),
  }
}
