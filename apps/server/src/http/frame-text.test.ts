// What is said to a real peer arrives whole, in order, and in few pieces; nothing is said to one that is leaving.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { until } from '@restic-manager/testkit/until'
import { speak, type Voice } from './frame-text.ts'

const opened: { close(): void }[] = []
afterEach(() => {
  for (const thing of opened.splice(0)) thing.close()
})

/** A peer, and the voice of the server it is connected to. */
async function connect() {
  const acceptor = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const server = createServer()
  const accepted = Promise.withResolvers<Voice>()
  server.on('upgrade', (request, stream, head) =>
    acceptor.handleUpgrade(request, stream, head, socket => accepted.resolve({ socket, stream, due: '' })),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    perMessageDeflate: false,
  })
  opened.push({
    close() {
      peer.terminate()
      server.closeAllConnections()
      server.close()
    },
  })
  const heard: string[] = []
  peer.on('message', data => heard.push(String(data)))
  await once(peer, 'open')
  return { voice: await accepted.promise, peer, heard }
}

const lengths = [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 200_000]

test('texts of every length and in every script arrive whole and in order, between pings', async () => {
  const { voice, heard } = await connect()
  const texts = lengths.flatMap(length => [
    'x'.repeat(length),
    `${'y'.repeat(length)} – größer 日本 \u{1f600}`,
    `ÿ${length}`,
  ])
  for (const text of texts) {
    speak(voice, text)
    voice.socket.ping()
  }
  await until(() => heard.length === texts.length)
  expect(heard).toEqual(texts)
})

test('what is said in one turn leaves in one piece, and the next turn begins anew', async () => {
  const { voice, heard } = await connect()
  const pieces: string[] = []
  const write = voice.stream.write.bind(voice.stream) as (text: string, encoding: BufferEncoding) => boolean
  voice.stream.write = ((text: string, encoding: BufferEncoding) => {
    pieces.push(text)
    return write(text, encoding)
  }) as typeof voice.stream.write
  for (const text of ['one', 'two', 'three']) speak(voice, text)
  await until(() => heard.length === 3)
  speak(voice, 'four')
  await until(() => heard.length === 4)
  expect(heard).toEqual(['one', 'two', 'three', 'four'])
  expect(pieces).toHaveLength(2)
})

test('much that is said in one turn does not wait for its end', async () => {
  const { voice } = await connect()
  for (let said = 0; said < 100; said += 1) {
    speak(voice, 'x'.repeat(10_000))
    expect(voice.due.length).toBeLessThan(80_000)
  }
})

test('nothing is said to a connection that is closing, not even what was due', async () => {
  const { voice, peer, heard } = await connect()
  speak(voice, 'due')
  voice.socket.close(1012)
  speak(voice, 'late')
  await once(peer, 'close')
  expect(heard).toEqual([])
})
