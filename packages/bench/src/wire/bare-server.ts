// The limit of what is measured on the wire: a bare `ws` server that sends back what it gets, and says one thing to all when it is told to.
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { type WebSocket, WebSocketServer } from 'ws'

/** `say`: this text to every socket, in slices; `flood`: the text so many times to the first one, whether it reads or not. */
export type BareOrder = { do: 'say'; text: string } | { do: 'flood'; text: string; times: number }
export type BareAnswer = { port: number } | { said: number } | { buffered: number }

const SLICE = 500

const server = new WebSocketServer({
  ...{ host: '127.0.0.1', port: 0, backlog: 4_096, perMessageDeflate: false, clientTracking: false },
})
const sockets = new Set<WebSocket>()
server.on('connection', socket => {
  sockets.add(socket)
  socket.on('error', () => {})
  socket.on('close', () => sockets.delete(socket))
  socket.on('message', data => socket.send(String(data)))
})
const answer = (said: BareAnswer) => process.send?.(said)

async function say(text: string) {
  let said = 0
  for (const socket of sockets) {
    socket.send(text)
    said += 1
    if (said % SLICE === 0) await turn()
  }
  answer({ said })
}

async function flood(text: string, times: number) {
  const [socket] = sockets
  for (let sent = 0; sent < times; sent += 1) {
    // Each a text of its own: the same one would be held once.
    socket?.send(`${sent} ${text}`)
    if (sent % 16 === 0) await turn()
  }
  answer({ buffered: socket?.bufferedAmount ?? 0 })
}

process.on('message', async order => {
  if (typeof order !== 'object' || order === null || !('do' in order)) return
  const given = order as BareOrder
  await (given.do === 'say' ? say(given.text) : flood(given.text, given.times))
})
process.on('disconnect', () => process.exit())

await once(server, 'listening')
const address = server.address()
answer({ port: typeof address === 'object' && address !== null ? address.port : 0 })
