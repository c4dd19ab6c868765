// A real restic REST server on loopback, for repositories that are reached over the network.
import { createHash } from 'node:crypto'
import { execa } from 'execa'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { portIn } from './port-in.ts'

export type RestServer = AsyncDisposable & {
  readonly port: number
  /** Where the repositories lie on this machine. */
  readonly dir: string
  /** The address of a repository as restic takes it, with or without the credentials in it. */
  url(repository: string, options?: { credentials?: boolean; port?: number }): string
}

export type User = { name: string; password: string }

export type RestServerOptions = {
  /** The program, from `findTool('rest-server')`. */
  path: string
  /** Who is let in, all with the same rights. With nobody named everybody is. */
  user?: User | readonly User[]
  /** A folder that exists and stays, instead of one of its own. */
  dir?: string
  appendOnly?: boolean
  /** A user reaches only repositories below its own name. */
  privateRepos?: boolean
  maxSizeBytes?: number
}

/** Starts a REST server on a free loopback port with an empty folder of its own, which goes when it is disposed of. */
export async function restServer({
  path,
  user = [],
  dir: given,
  appendOnly = false,
  privateRepos = false,
  maxSizeBytes,
}: RestServerOptions): Promise<RestServer> {
  const users = [user].flat()
  const [first] = users
  const dir = given ?? (await mkdtemp(join(tmpdir(), 'rest-server-')))
  if (first !== undefined) await writeFile(join(dir, '.htpasswd'), users.map(passwordLine).join(''))
  const flags = [
    ...(first === undefined ? ['--no-auth'] : []),
    ...(appendOnly ? ['--append-only'] : []),
    ...(privateRepos ? ['--private-repos'] : []),
    ...(maxSizeBytes === undefined ? [] : ['--max-size', String(maxSizeBytes)]),
  ]
  const server = execa(path, ['--listen', '127.0.0.1:0', '--path', dir, ...flags], {
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
  })
  const port = await portIn(server.all, /start server on .*:(\d+)$/)
  return {
    port,
    dir,
    url(repository, { credentials = true, port: through = port } = {}) {
      const userinfo =
        first === undefined || !credentials
          ? ''
          : `${encodeURIComponent(first.name)}:${encodeURIComponent(first.password)}@`
      return `rest:http://${userinfo}127.0.0.1:${through}/${repository}/`
    },
    async [Symbol.asyncDispose]() {
      server.kill('SIGTERM')
      await server
      if (given === undefined) await rm(dir, { recursive: true })
    },
  }
}

const passwordLine = ({ name, password }: User) =>
  `${name}:{SHA}${createHash('sha1').update(password).digest('base64')}\n`
