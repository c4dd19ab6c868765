// A TCP proxy on loopback that a test can break on purpose: cut, silence, slow down or reset a link.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type NetConnectOpts, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** `up` is from the client to the far end, `down` the other way. */
type Way = 'up' | 'down'

/**
 * What the link does from now on. Links already open feel it too.
 * - `blackhole` swallows both ways, end of stream included; `dropUp` and `dropDown` swallow one way.
 *   A way that has lost anything stays silent for good: nobody could make sense of the rest.
 * - `reset` answers every link with RST. `halfClose` ends the way down while up still passes.
 * - `refuse` stops listening and leaves open links alone.
 * - `delayMs` holds each chunk that long, `Infinity` until the mode changes. `bytesPerSecond` is for each way of each link.
 */
export type ProxyMode =
  | 'pass'
  | 'blackhole'
  | 'dropUp'
  | 'dropDown'
  | 'reset'
  | 'halfClose'
  | 'refuse'
  | { delayMs: number }
  | { bytesPerSecond: number }

/** Where the links lead: a TCP port on loopback unless `host` says otherwise, or a unix socket. */
export type ProxyTarget = { port: number; host?: string } | { path: string }

export type ProxyCounts = {
  /** Connections ever accepted. */
  connections: number
  /** Links open now. */
  open: number
  /** Bytes delivered. */
  up: number
  down: number
  /** Bytes that were taken and never delivered. */
  swallowed: number
  /** Bytes taken and waiting for a delay or the rate. */
  held: number
}

export type TcpProxy = AsyncDisposable & {
  readonly port: number
  readonly counts: Readonly<ProxyCounts>
  /** Changes the mode. Resolves once a change of listening has happened. */
  set(mode: ProxyMode): Promise<void>
  /** Resets every open link once; the mode stays. */
  dropAll(): void
  /** New links lead here from now on, for a far end that came back on another port. */
  retarget(target: ProxyTarget): void
}

type Link = { client: Socket; far: Socket; lost: Record<Way, boolean> }

const most = 2 ** 31 - 1
const roomBytes = 1024 * 1024

/** Ends a socket with RST; a unix socket knows none and just ends. */
function cut(socket: Socket): void {
  if (socket.remoteAddress === undefined) socket.destroy()
  else socket.resetAndDestroy()
}

/** Waits until the socket takes more, or never will. */
async function drained(socket: Socket): Promise<void> {
  const either = new AbortController()
  const { signal } = either
  await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })]).catch(() => {})
  either.abort()
}

/** Starts a proxy on a free loopback port. Disposing of it resets what is open and stops listening. */
export async function startTcpProxy(firstTarget: ProxyTarget): Promise<TcpProxy> {
  let target = firstTarget
  let mode: ProxyMode = 'pass'
  let changed = new AbortController()
  const links = new Set<Link>()
  const counts: ProxyCounts = { connections: 0, open: 0, up: 0, down: 0, swallowed: 0, held: 0 }
  const server = createServer({ allowHalfOpen: true }, accept)
  await listen(0)
  const { port } = server.address() as AddressInfo

  async function listen(onPort: number) {
    server.listen(onPort, '127.0.0.1')
    await once(server, 'listening')
  }

  function accept(client: Socket) {
    counts.connections += 1
    if (mode === 'reset') {
      client.on('error', () => {})
      client.resetAndDestroy()
      return
    }
    const far = connect({ host: '127.0.0.1', ...target, allowHalfOpen: true } as NetConnectOpts)
    const link: Link = { client, far, lost: { up: false, down: false } }
    links.add(link)
    counts.open += 1
    carry(link, 'up', client, far)
    carry(link, 'down', far, client)
    let closed = 0
    for (const socket of [client, far]) {
      socket.setNoDelay(true)
      socket.once('close', () => {
        closed += 1
        if (closed === 2 && links.delete(link)) counts.open -= 1
      })
    }
    if (mode === 'halfClose') client.end()
  }

  function carry(link: Link, way: Way, from: Socket, to: Socket) {
    let last = Promise.resolve()
    let waiting = 0
    const swallows = () =>
      link.lost[way] || mode === 'blackhole' || mode === (way === 'up' ? 'dropUp' : 'dropDown')
    const next = (step: () => Promise<void>) => {
      last = last.then(step)
    }

    from.on('data', (chunk: Buffer) => {
      const cameAt = performance.now()
      counts.held += chunk.length
      waiting += chunk.length
      if (waiting > roomBytes) from.pause()
      next(async () => {
        await deliver(chunk, cameAt)
        waiting -= chunk.length
        if (from.isPaused()) from.resume()
      })
    })
    from.on('end', () =>
      next(async () => {
        if (swallows()) link.lost[way] = true
        else to.end()
      }),
    )
    from.on('error', () => {
      if (!swallows()) cut(to)
    })

    async function deliver(chunk: Buffer, cameAt: number) {
      let rest = chunk
      while (rest.length > 0) {
        if (swallows() || to.destroyed || to.writableEnded) {
          if (swallows()) link.lost[way] = true
          counts.held -= rest.length
          counts.swallowed += rest.length
          return
        }
        if (typeof mode === 'object' && 'delayMs' in mode) {
          const leftMs = cameAt + mode.delayMs - performance.now()
          if (leftMs > 0 && (await modeHolds(leftMs)) === 'changed') continue
        }
        const slice =
          typeof mode === 'object' && 'bytesPerSecond' in mode
            ? Math.ceil(mode.bytesPerSecond / 20)
            : rest.length
        const part = rest.subarray(0, slice)
        rest = rest.subarray(slice)
        if (!to.write(part)) await drained(to)
        counts.held -= part.length
        counts[way] += part.length
        if (typeof mode === 'object' && 'bytesPerSecond' in mode) {
          await modeHolds((part.length / mode.bytesPerSecond) * 1000)
        }
      }
    }
  }

  /** Waits, but no longer than the mode lasts. */
  async function modeHolds(ms: number): Promise<'waited' | 'changed'> {
    return sleep(Math.min(ms, most), 'waited' as const, { signal: changed.signal }).catch(
      () => 'changed' as const,
    )
  }

  function dropAll() {
    for (const { client, far } of links) {
      cut(client)
      cut(far)
    }
  }

  return {
    port,
    counts,
    async set(wanted) {
      mode = wanted
      changed.abort()
      changed = new AbortController()
      if (mode === 'reset') dropAll()
      if (mode === 'halfClose') for (const { client } of links) client.end()
      if (mode === 'refuse' && server.listening) server.close()
      if (mode !== 'refuse' && !server.listening) await listen(port)
    },
    dropAll,
    retarget(wanted) {
      target = wanted
    },
    async [Symbol.asyncDispose]() {
      mode = 'reset'
      changed.abort()
      dropAll()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}
