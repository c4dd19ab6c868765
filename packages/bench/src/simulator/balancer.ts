// One address for several servers: each new connection goes to one of those that take it.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export type Balancer = AsyncDisposable & {
  readonly port: number
  /** Connections go to these ports from now on; open ones stay where they are. */
  lead(ports: readonly number[]): void
}

/**
 * Listens on a free port of loopback. `fraction` decides where a connection goes. `keepsAddress`: servers see the address a client
 * comes from, which takes Linux.
 */
export async function startBalancer(
  fraction: () => number,
  { keepsAddress = false }: { keepsAddress?: boolean } = {},
): Promise<Balancer> {
  let ports: readonly number[] = []
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, client => void accept(client))
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
  await once(server, 'listening')

  async function accept(client: Socket) {
    keep(client)
    const first = Math.floor(fraction() * ports.length)
    for (let turn = 0; turn < ports.length; turn += 1) {
      const localAddress = keepsAddress ? client.remoteAddress : undefined
      const far = await reach(ports[(first + turn) % ports.length] as number, localAddress)
      if (far === undefined) continue
      keep(far)
      client.on('error', () => far.resetAndDestroy())
      far.on('error', () => client.resetAndDestroy())
      client.pipe(far)
      far.pipe(client)
      return
    }
    client.resetAndDestroy()
  }

  function keep(socket: Socket) {
    open.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => open.delete(socket))
  }

  return {
    port: (server.address() as AddressInfo).port,
    lead(wanted) {
      ports = [...wanted]
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A connection that stands, or nothing. A server that is frozen still takes one, as it would behind any balancer. */
async function reach(port: number, localAddress: string | undefined): Promise<Socket | undefined> {
  const from = localAddress === undefined ? {} : { localAddress }
  const far = connect({ host: '127.0.0.1', port, allowHalfOpen: true, ...from })
  try {
    await once(far, 'connect')
    return far
  } catch {
    far.destroy()
    return undefined
  }
}
