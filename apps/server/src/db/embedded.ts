// The database that comes along: a real PostgreSQL in the data directory, started, taken over and stopped with its server.
import { randomBytes } from 'node:crypto'
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log } from '@restic-manager/runtime/log'
import { connect } from './open.ts'
import { ownWithin, readOwner, tryOwning, type Owner, type OwnerLock } from './owner-lock.ts'
import {
  canReach,
  chooseUser,
  findPostgres,
  postgresMajor,
  programsFor,
  type PostgresPrograms,
  type RunAs,
} from './postgres-binaries.ts'
import { readPostmaster, runPostgres, runToEnd, stopLeftBehind, type Postmaster } from './postmaster.ts'

export type Embedded = {
  /** For `openDatabase`. Stays the same when the database had to be started again. */
  url: string
  /** Stops the database fast and in order, then lets go of the data directory. */
  stop(): Promise<void>
}

export type EmbeddedOptions = {
  dataDir: string
  role: Owner['role']
  log?: Log | undefined
  /** How long to wait for another owner that is about to leave. */
  waitMs?: number
  /** More settings of PostgreSQL, for tests. */
  settings?: Record<string, string>
  /** Where the database goes when its user cannot reach the data directory. */
  aside?: string
}

const name = 'restic_manager'
const defaultAside = '/var/lib/restic-manager'
/** sun_path holds 108 bytes with the closing NUL; the socket's own name takes 15. */
const longestSocketFolder = 107 - '/.s.PGSQL.5432'.length

/** Another process of ours owns the data directory. The message is for a person. */
export class DataDirInUse extends Error {
  readonly owner: Owner | undefined
  constructor(dataDir: string, owner: Owner | undefined) {
    const who = owner?.role === 'admin' ? 'Another admin command' : 'Another server'
    const pid = owner === undefined ? '' : ` (pid ${owner.pid})`
    super(
      `${who}${pid} uses the data directory ${dataDir}. Stop it first, or set RM_DATA_DIR to another folder.`,
    )
    this.owner = owner
  }
}

/**
 * Starts the database of `dataDir` and makes it first when there is none. An instance whose server was killed is
 * stopped in order before. Throws a sentence when another server lives on the same data directory.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { dataDir, role, waitMs = 0 } = options
  const isRoot = process.getuid?.() === 0
  await mkdir(dataDir, { recursive: true, mode: isRoot ? 0o711 : 0o700 })
  const lock = await ownWithin(dataDir, role, waitMs)
  if (lock === undefined) throw new DataDirInUse(dataDir, readOwner(dataDir))
  try {
    return await startOwned(options, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

async function startOwned(options: EmbeddedOptions, lock: OwnerLock): Promise<Embedded> {
  const { dataDir, log, settings = {}, aside = defaultAside } = options
  const folder = join(dataDir, 'postgres')
  const exists = (await stat(folder).catch(() => undefined)) !== undefined
  const runAs = await chooseUser(exists ? folder : undefined)
  const programs = await programsFor(await findPostgres(), runAs, aside)
  const password = await readPassword(dataDir, exists)

  if (exists) await checkMajor(folder)
  else
    await makeCluster({ programs, folder, dataDir, runAs, password, aside, sync: settings.fsync !== 'off' })
  const data = await realpath(folder)
  await stopLeftBehind(programs, data, runAs, log)

  const sockets = await makeSocketFolder(runAs)
  const url = urlOf(password, sockets, name)
  let postmaster: Postmaster
  try {
    postmaster = await runPostgres({
      programs,
      data,
      runAs,
      log,
      settings: {
        listen_addresses: '',
        unix_socket_directories: sockets,
        unix_socket_permissions: '0700',
        shared_buffers: '64MB',
        max_connections: '60',
        // Parallel workers need more of /dev/shm than a container has by default, for queries this small.
        max_parallel_workers_per_gather: '0',
        jit: 'off',
        timezone: 'UTC',
        log_timezone: 'UTC',
        ...settings,
      },
    })
  } catch (error) {
    await rm(sockets, { recursive: true, force: true })
    throw error
  }
  const stop = async () => {
    await postmaster.stop()
    await rm(sockets, { recursive: true, force: true })
    lock.release()
  }
  try {
    await makeDatabase(urlOf(password, sockets, 'postgres'))
  } catch (error) {
    await stop()
    throw error
  }
  return { url, stop }
}

/** Stops a database whose owner died, and starts none. False: somebody owns it, or there is none. */
export async function stopAbandoned(dataDir: string): Promise<boolean> {
  const folder = join(dataDir, 'postgres')
  const data = await realpath(folder).catch(() => undefined)
  const lock = data === undefined ? undefined : tryOwning(dataDir, 'admin')
  if (data === undefined || lock === undefined) return false
  try {
    const runAs = await chooseUser(folder)
    const programs = await programsFor(await findPostgres(), runAs, defaultAside)
    await stopLeftBehind(programs, data, runAs, undefined)
    return true
  } finally {
    lock.release()
  }
}

/** The address of the database that somebody else runs on `dataDir` now; undefined while it is not ready. */
export async function urlOfRunning(dataDir: string): Promise<string | undefined> {
  const data = await realpath(join(dataDir, 'postgres')).catch(() => undefined)
  const running = data === undefined ? undefined : await readPostmaster(data)
  if (!running?.ready) return undefined
  return urlOf(await readPassword(dataDir, true), running.sockets, name)
}

function urlOf(password: string, sockets: string, database: string) {
  return `postgres://${name}:${password}@localhost/${database}?host=${encodeURIComponent(sockets)}`
}

async function readPassword(dataDir: string, exists: boolean): Promise<string> {
  const file = join(dataDir, 'database-password')
  const kept = await readFile(file, 'utf8').catch(() => undefined)
  if (kept !== undefined) return kept.trim()
  if (exists)
    throw new Error(`${file} is missing, so the database in ${dataDir} cannot be opened. Put the file back.`)
  const password = randomBytes(24).toString('base64url')
  await writeFile(file, `${password}\n`, { mode: 0o600, flag: 'wx' })
  return password
}

async function checkMajor(folder: string) {
  const major = (await readFile(join(folder, 'PG_VERSION'), 'utf8').catch(() => 'unknown')).trim()
  if (major !== postgresMajor)
    throw new Error(
      `The database in ${folder} was made by PostgreSQL ${major}, and this version brings PostgreSQL ${postgresMajor}. Go back to the version before, make a file with its admin command backup, move the folder away, and put the file back with this version's admin command restore.`,
    )
}

type NewCluster = {
  programs: PostgresPrograms
  folder: string
  dataDir: string
  runAs: RunAs
  password: string
  aside: string
  sync: boolean
}

/** Runs initdb beside the final place and moves the result there, so that a start cut short leaves nothing half made. */
async function makeCluster({ programs, folder, dataDir, runAs, password, aside, sync }: NewCluster) {
  const within = (await canReach(await realpath(dataDir), runAs))
    ? undefined
    : join(aside, `database-${randomBytes(6).toString('hex')}`)
  const parent = join(within ?? dataDir, 'postgres.new')
  await rm(parent, { recursive: true, force: true })
  await mkdir(parent, { recursive: true, mode: 0o711 })
  const passwordFile = join(parent, 'password')
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  const data = join(parent, 'data')
  await mkdir(data, { mode: 0o700 })
  if (runAs) for (const path of [passwordFile, data]) await chown(path, runAs.uid, runAs.gid)
  const ways = ['--auth=scram-sha-256', `--pwfile=${passwordFile}`, `--username=${name}`]
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const sync_ = sync ? [] : ['--no-sync']
  await runToEnd(programs.initdb, ['-D', data, ...ways, ...locale, ...sync_, '--no-instructions'], runAs)
  if (within === undefined) {
    await rename(data, folder)
  } else {
    await rename(data, join(within, 'postgres'))
    await symlink(join(within, 'postgres'), folder)
  }
  await rm(parent, { recursive: true, force: true })
}

/** A fresh folder of a random name for the socket, closed to everybody else. postmaster.pid tells who looks for it. */
async function makeSocketFolder(runAs: RunAs): Promise<string> {
  const short = tmpdir().length + 20 <= longestSocketFolder && (await canReach(tmpdir(), runAs))
  const folder = await mkdtemp(join(short ? tmpdir() : '/tmp', 'rm-pg-'))
  await chmod(folder, 0o700)
  if (runAs) await chown(folder, runAs.uid, runAs.gid)
  return folder
}

async function makeDatabase(url: string) {
  const sql = connect(url, { max: 1 })
  try {
    const found = await sql`select 1 from pg_database where datname = ${name}`
    if (found.length === 0) await sql`create database ${sql(name)}`
  } finally {
    await sql.end({ timeout: 5 })
  }
}
