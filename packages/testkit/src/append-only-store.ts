// Storage with two kinds of users: everyday ones may only add, the admin may also delete. As a proxy before two REST servers.
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { restServer, type User } from './rest-server.ts'

export type AppendOnlyStore = AsyncDisposable & {
  /** Where the repositories lie on this machine. */
  readonly dir: string
  /** The address of a repository, without credentials: they decide what one may do there. */
  url(repository: string): string
  /** How often somebody was refused a deletion. */
  refusedDeletions(): number
}

/** Starts it on loopback with an empty folder, which goes when it is disposed of. `path`: the program of the REST server. */
export async function appendOnlyStore({
  path,
  everyday,
  admin,
}: {
  path: string
  everyday: User
  admin: User
}): Promise<AppendOnlyStore> {
  const dir = await mkdtemp(join(tmpdir(), 'append-only-'))
  const user = [everyday, admin]
  const adding = await restServer({ path, dir, user, appendOnly: true })
  const deleting = await restServer({ path, dir, user })
  const adminHeader = `Basic ${Buffer.from(`${admin.name}:${admin.password}`).toString('base64')}`
  let refused = 0
  const door = createServer((incoming, answer) => {
    const { port } = incoming.headers.authorization === adminHeader ? deleting : adding
    const { method, url, headers } = incoming
    const onward = request({ host: '127.0.0.1', port, method, path: url, headers }, reply => {
      if (method === 'DELETE' && reply.statusCode === 403) refused += 1
      if (answer.destroyed) return void reply.resume() // the client went away meanwhile
      answer.writeHead(reply.statusCode ?? 502, reply.headers)
      pipeline(reply, answer, () => {})
    })
    // A client that goes away in the middle is nobody's fault.
    onward.on('error', () => answer.destroy())
    pipeline(incoming, onward, () => {})
  })
  await new Promise<void>(done => void door.listen(0, '127.0.0.1', done))
  const { port } = door.address() as AddressInfo
  return {
    dir,
    url: repository => `rest:http://127.0.0.1:${port}/${repository}/`,
    refusedDeletions: () => refused,
    async [Symbol.asyncDispose]() {
      door.closeAllConnections()
      await new Promise<void>(done => void door.close(() => done()))
      await adding[Symbol.asyncDispose]()
      await deleting[Symbol.asyncDispose]()
      await rm(dir, { recursive: true })
    },
  }
}
