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

export type RestServerOptions = {
  /** The program, from `findTool('rest-server')`. */
  path: string
  /** Name and password that are let in. Without a user everybody is. */
  user?: { name: string; password: string }
  appendOnly?: boolean
  /** A user reaches only repositories below its own name. */
  privateRepos?: boolean
  maxSizeBytes?: number
}

/** Starts a REST server on a free loopback port with an empty folder of its own, which goes when it is disposed of. */
export async function restServer({
  path,
  user,
  appendOnly = false,
  privateRepos = false,
  maxSizeBytes,
}: RestServerOptions): Promise<RestServer> {
  const dir = await mkdtemp(join(tmpdir(), 'rest-server-'))
  if (user !== undefined) {
    const digest = createHash('sha1').update(user.password).digest('base64')
    await writeFile(join(dir, '.htpasswd'), `${user.name}:{SHA}${digest}\n`)
  }
  const flags = [
    ...(user === undefined ? ['--no-auth'] : []),
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
      const name = user === undefined ? '' : encodeURIComponent(user.name)
      const userinfo =
        user === undefined || !credentials ? '' : `${name}:${encodeURIComponent(user.password)}@`
      return `rest:http://${userinfo}127.0.0.1:${through}/${repository}/`
    },
    async [Symbol.asyncDispose]() {
      server.kill('SIGTERM')
      await server
      await rm(dir, { recursive: true })
    },
  }
}
