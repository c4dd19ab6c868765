// A plain way to a server on loopback that keeps every byte of both directions, for tests that ask what was ever said.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export type WireTap = AsyncDisposable & {
  readonly url: string
  readonly port: number
  /** Where new connections lead. Before that there is nobody at the far end. */
  lead(port: number): void
  /** What clients said, one text for each connection. */
  asked(): string[]
  /** What the far end said, one text for each connection. Of a WebSocket these are its frames, which a server does not mask. */
  answered(): string[]
}

/** Starts a tap on a free loopback port. Disposing of it resets what is open and stops listening. */
export async function startWireTap(): Promise<WireTap> {
  let farPort: number | undefined
  const links: { asked: Buffer[]; answered: Buffer[]; sockets: [Socket, Socket] }[] = []
  const server = createServer(client => {
    if (farPort === undefined) return void client.destroy()
    const far = connect({ host: '127.0.0.1', port: farPort })
    const link = {
      asked: [] as Buffer[],
      answered: [] as Buffer[],
      sockets: [client, far] as [Socket, Socket],
    }
    links.push(link)
    client.on('data', (chunk: Buffer) => link.asked.push(chunk))
    far.on('data', (chunk: Buffer) => link.answered.push(chunk))
    client.pipe(far).pipe(client)
    for (const [socket, other] of [
      [client, far],
      [far, client],
    ] as const) {
      socket.setNoDelay(true)
      socket.on('error', () => other.destroy())
      socket.once('close', () => other.destroy())
    }
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const textOf = (chunks: Buffer[]) => Buffer.concat(chunks).toString('utf8')
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    lead: to => void (farPort = to),
    asked: () => links.map(({ asked }) => textOf(asked)),
    answered: () => links.map(({ answered }) => textOf(answered)),
    async [Symbol.asyncDispose]() {
      for (const { sockets } of links) for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
