// A real PgBouncer on loopback, in transaction mode as most people run it.
import { execa } from 'execa'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type PgBouncer = AsyncDisposable & {
  readonly port: number
  /** What it wrote to its log so far. */
  log(): string
}

export type PgBouncerOptions = {
  /** The program, from `findTool('pgbouncer')`. */
  path: string
  /** The PostgreSQL behind it, on loopback. */
  port: number
  user: string
  password: string
  /** Connections to PostgreSQL, shared by all who come. */
  poolSize?: number
}

/** It will not run as root, so root gives it the rights of nobody. */
const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

/** Starts a pooler for every database of that PostgreSQL. Whoever comes shows the same password as there. */
export async function startPgBouncer(options: PgBouncerOptions): Promise<PgBouncer> {
  const folder = await mkdtemp(join(tmpdir(), 'pgbouncer-'))
  const port = await freePort()
  const at = (name: string) => join(folder, name)
  await writeFile(at('users'), `"${options.user}" "${options.password}"\n`)
  await writeFile(at('config'), configOf(options, { port, users: at('users') }))
  await chmod(folder, 0o700)
  if (nobody.uid !== undefined)
    for (const path of [folder, at('users'), at('config')]) await chown(path, nobody.uid, nobody.gid)

  const child = execa(options.path, [at('config')], {
    ...nobody,
    env: { LD_LIBRARY_PATH: `${options.path}.lib` },
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
  })
  let said = ''
  const { promise: up, resolve, reject } = Promise.withResolvers<void>()
  child.all.setEncoding('utf8').on('data', (text: string) => {
    said += text
    if (said.includes('process up')) resolve()
  })
  void child.then(() => reject(new Error(`PgBouncer ended: ${said}`)))
  await up
  return {
    port,
    log: () => said,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await child
      await rm(folder, { recursive: true })
    },
  }
}

const configOf = (
  { port: far, poolSize = 4 }: PgBouncerOptions,
  { port, users }: { port: number; users: string },
) => `[databases]
* = host=127.0.0.1 port=${far}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 200
`

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(done => void server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise<void>(done => void server.close(() => done()))
  return port
}
