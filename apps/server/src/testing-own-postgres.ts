// For tests only: a PostgreSQL of one's own on loopback, which can be frozen, killed, stopped, started and followed by a standby.
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import {
  appendFile,
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  writeFile,
} from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from './db/open.ts'
import { chooseUser, findPostgres, programsFor } from './db/postgres-binaries.ts'
import { readPostmaster, runToEnd } from './db/postmaster.ts'

export type OwnPostgres = AsyncDisposable & {
  port: number
  password: string
  /** Straight to it, over TCP. */
  url: string
  start(): Promise<void>
  /** In order: sessions end, a checkpoint is written. */
  stop(): Promise<void>
  /** SIGKILL. What it had not written down is lost, as with a power cut. */
  kill(): Promise<void>
  /** SIGSTOP to all its processes: connections stay and nobody answers. */
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** A copy that follows this one and takes no changes, until it is promoted. */
  follow(): Promise<Standby>
}

export type Standby = OwnPostgres & {
  /** Waits until it has all there is, and takes nothing from then on: what is committed later it lacks. */
  fallBehind(): Promise<void>
  promote(): Promise<void>
}

type OwnOptions = {
  /** More settings of PostgreSQL. */
  settings?: Record<string, string>
  /** An empty folder for it, instead of one of its own. */
  folder?: string
}

export const databaseUser = 'restic_manager'
export const databaseName = 'postgres'

/** Starts one with an empty database. Disposing ends it and removes its folder. */
export async function ownPostgres({ settings = {}, folder: given }: OwnOptions = {}): Promise<OwnPostgres> {
  const parts = await partsIn(given)
  const { programs, runAs, folder } = parts
  const password = randomBytes(12).toString('hex')
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (runAs) await chown(passwordFile, runAs.uid, runAs.gid)
  const ways = ['--auth=scram-sha-256', `--pwfile=${passwordFile}`, `--username=${databaseUser}`]
  await runToEnd(programs.initdb, ['-D', parts.data, ...ways, '--locale=C', '-E', 'UTF8', '-N'], runAs)
  return run({ ...parts, password, settings })
}

const prefix = '/tmp/rm-own-pg-'

/** Processes of PostgreSQL come and go: one that was listed may have ended since. */
function signalTo(pid: number, signal: NodeJS.Signals) {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Ends and removes what tests that were killed have left behind. */
async function sweep() {
  for (const name of await readdir('/tmp')) {
    const folder = join('/tmp', name)
    if (!folder.startsWith(prefix)) continue
    const owner = Number(await readFile(join(folder, 'owner'), 'utf8').catch(() => 'none'))
    if (Number.isNaN(owner) || existsSync(`/proc/${owner}`)) continue
    const data = join(folder, 'data')
    const left = await readPostmaster(data)
    if (left !== undefined && (await readlink(`/proc/${left.pid}/cwd`).catch(() => '')) === data)
      for (const signal of ['SIGQUIT', 'SIGCONT'] as const) signalTo(left.pid, signal)
    await rm(folder, { recursive: true, force: true })
  }
}

async function partsIn(given?: string) {
  await sweep()
  const runAs = await chooseUser(undefined)
  const programs = await programsFor(await findPostgres(), runAs, '/var/lib/restic-manager')
  const folder = given ?? (await mkdtemp(prefix))
  await writeFile(join(folder, 'owner'), String(process.pid))
  const data = join(folder, 'data')
  await mkdir(data, { mode: 0o700 })
  await chmod(folder, 0o711)
  if (runAs) for (const path of [folder, data]) await chown(path, runAs.uid, runAs.gid)
  return { runAs, programs, folder, data, isOurs: given === undefined }
}

type Parts = Awaited<ReturnType<typeof partsIn>> & { password: string; settings: Record<string, string> }

async function run(parts: Parts): Promise<OwnPostgres> {
  const { runAs, programs, folder, data, password, settings, isOurs } = parts
  const port = await freePort()
  const url = `postgres://${databaseUser}:${password}@127.0.0.1:${port}/${databaseName}`
  let child: ChildProcess | undefined
  let said = ''

  async function start() {
    const all = {
      listen_addresses: '127.0.0.1',
      port: String(port),
      unix_socket_directories: folder,
      shared_buffers: '16MB',
      fsync: 'off',
      ...settings,
    }
    const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const started = spawn(programs.postgres, ['-D', data, ...flags], {
      ...runAs,
      env: { LC_ALL: 'C', TZ: 'UTC' },
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child = started
    started.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4_000)))
    for (;;) {
      const card = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')
      const [pid, , , , , , , status = ''] = card.split('\n')
      if (Number(pid) === started.pid && /^(?:ready|standby)/.test(status)) return
      if (started.exitCode !== null || started.signalCode !== null)
        throw new Error(`PostgreSQL did not start: ${said}`)
      await sleep(15)
    }
  }

  async function end(signal: NodeJS.Signals) {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }

  /** The postmaster and what it started. */
  async function processes(): Promise<number[]> {
    const pid = child?.pid ?? 0
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return [pid, ...children.split(' ').filter(Boolean).map(Number)]
  }
  const tell = async (signal: NodeJS.Signals) => {
    for (const pid of await processes()) signalTo(pid, signal)
  }

  await start()
  return {
    port,
    password,
    url,
    start,
    stop: () => end('SIGINT'),
    kill: () => end('SIGKILL'),
    freeze: () => tell('SIGSTOP'),
    thaw: () => tell('SIGCONT'),
    follow: () => follow(parts, url, port),
    async [Symbol.asyncDispose]() {
      if (child?.exitCode === null && child.signalCode === null) await tell('SIGCONT')
      await end('SIGQUIT')
      if (isOurs) await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A base backup by hand: the package brings no pg_basebackup. */
async function follow(leader: Parts, leaderUrl: string, leaderPort: number): Promise<Standby> {
  const parts = await partsIn()
  const sql = connect(leaderUrl, { max: 1 })
  try {
    await sql`select pg_backup_start('standby', fast => true)`
    await cp(leader.data, parts.data, {
      recursive: true,
      force: true,
      filter: path => !/\/(?:postmaster\.(?:pid|opts)|pg_replslot\/.+)$/.test(path),
    })
    const [stopped] = await sql`select labelfile from pg_backup_stop(wait_for_archive => false)`
    await writeFile(join(parts.data, 'backup_label'), String(stopped?.['labelfile']))
  } finally {
    await sql.end({ timeout: 1 })
  }
  const way = `host=127.0.0.1 port=${leaderPort} user=${databaseUser} password=${leader.password} application_name=standby`
  await appendFile(join(parts.data, 'postgresql.auto.conf'), `primary_conninfo = '${way}'\n`)
  await writeFile(join(parts.data, 'standby.signal'), '')
  if (parts.runAs)
    await runToEnd('/bin/chown', ['-R', `${parts.runAs.uid}:${parts.runAs.gid}`, parts.data], undefined)
  const standby = await run({ ...parts, password: leader.password, settings: leader.settings })
  return {
    ...standby,
    async fallBehind() {
      await using open = new AsyncDisposableStack()
      const [ahead, own] = [connect(leaderUrl, { max: 1 }), connect(standby.url, { max: 1 })]
      for (const client of [ahead, own]) open.defer(() => client.end({ timeout: 1 }))
      const [wanted] = await ahead`select pg_current_wal_lsn()::text as lsn`
      const hasAll = async () => {
        const [row] = await own`select pg_last_wal_replay_lsn() >= ${wanted?.['lsn']}::pg_lsn as all`
        return row?.['all'] === true
      }
      while (!(await hasAll())) await sleep(15)
      await own`alter system set primary_conninfo = ''`
      await own`select pg_reload_conf()`
      while ((await ahead`select from pg_stat_replication`).length > 0) await sleep(15)
    },
    async promote() {
      const own = connect(standby.url, { max: 1 })
      await own`select pg_promote()`
      await own.end({ timeout: 1 })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
