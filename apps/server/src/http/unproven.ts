// How many connections of one address have not shown who they are, and a bound on that.
import { Server as HttpServer } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { BlockList, Socket } from 'node:net'
import type { TurnedAway } from '../fleet/turned-away.ts'
import { isListed, limitKey } from './address.ts'

export type Unproven = {
  /** This connection is somebody now and counts no more. */
  proved(socket: object): void
}

/** Cuts connections beyond `most` of one address. A trusted proxy is one address for everybody, so it is not counted. */
export function countUnproven(
  server: HttpServer | HttpsServer,
  { most, trusted, turnedAway }: { most: number; trusted: BlockList; turnedAway: TurnedAway },
): Unproven {
  const counts = new Map<string, number>()
  const open = new WeakMap<object, string>()

  function leave(socket: object) {
    const key = open.get(socket)
    if (key === undefined) return
    open.delete(socket)
    const left = (counts.get(key) ?? 1) - 1
    if (left > 0) counts.set(key, left)
    else counts.delete(key)
  }

  server.on(server instanceof HttpServer ? 'connection' : 'secureConnection', (socket: Socket) => {
    const address = socket.remoteAddress ?? ''
    if (isListed(trusted, address)) return
    const key = limitKey(address)
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    open.set(socket, key)
    socket.once('close', () => leave(socket))
    if (count <= most) return
    turnedAway.count('too_many_unproven', address)
    socket.destroy()
  })
  return { proved: leave }
}
