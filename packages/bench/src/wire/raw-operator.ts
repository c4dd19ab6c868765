// One WebSocket of an operator, without a client around it: it may ask and then stop reading.
import { once } from 'node:events'
import { WebSocket } from 'ws'

export type RawOperator = AsyncDisposable & {
  subscribe(path: string, input: object, onData: (value: unknown) => void): void
  /** Sends and forgets: what comes back is dropped. */
  ask(method: 'query' | 'subscription', path: string, input: object): void
  /** Reads nothing more. */
  fallAsleep(): void
}

/** Opens it as a page does, with the cookie of a session. */
export async function openRawOperator(url: string, cookie: string): Promise<RawOperator> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/trpc`, {
    ...{ headers: { cookie, origin: url }, perMessageDeflate: false },
  })
  socket.on('error', () => {})
  await once(socket, 'open')
  const readers = new Map<number, (value: unknown) => void>()
  let lastId = 0
  socket.on('message', data => {
    const { id, result } = JSON.parse(String(data)) as {
      id: number
      result?: { type: string; data?: { json: unknown } }
    }
    if (result?.type === 'data') readers.get(id)?.(result.data?.json)
  })
  function ask(method: string, path: string, input: object) {
    lastId += 1
    socket.send(JSON.stringify({ id: lastId, method, params: { path, input: { json: input } } }))
  }
  return {
    ask,
    subscribe(path, input, onData) {
      readers.set(lastId + 1, onData)
      ask('subscription', path, input)
    },
    fallAsleep: () => socket.pause(),
    async [Symbol.asyncDispose]() {
      socket.terminate()
    },
  }
}
