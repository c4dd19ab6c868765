// Where connections go that come to one address of several servers.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { expect, test } from 'vitest'
import { startBalancer } from './balancer.ts'

/** A server that says its name and hangs up. */
async function startNamed(name: string): Promise<{ port: number; server: Server }> {
  const server = createServer(socket => void socket.end(name)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, server }
}

async function ask(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port }).setEncoding('utf8')
  let said = ''
  socket.on('data', text => (said += text))
  await once(socket, 'close')
  return said
}

test('connections go where the draw says, and to another server when that one is gone', async () => {
  const [one, two] = await Promise.all([startNamed('one'), startNamed('two')])
  let drawn = 0
  await using balancer = await startBalancer(() => drawn)
  balancer.lead([one.port, two.port])
  expect(await ask(balancer.port)).toBe('one')
  drawn = 0.9
  expect(await ask(balancer.port)).toBe('two')
  two.server.close()
  expect(await ask(balancer.port)).toBe('one')
  one.server.close()
  await expect(ask(balancer.port)).rejects.toThrow('ECONNRESET')
})
