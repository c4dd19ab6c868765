// From what one replica commits to what another wakes up for, over the notifications of one PostgreSQL, against bare LISTEN and NOTIFY.
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import {
  connectPostgres,
  notify,
  openDatabase,
  startBus,
  startEmbedded,
} from '@restic-manager/server/testing'
import { type Figure, median, rounded } from './measure/figure.ts'

const fullTimes = 2_000
const goalMs = 5

/**
 * Two replicas as far as they know of each other: each its own pool and its own ear. One tells of a change in a transaction, the other has
 * a reader that waits for it; one change at a time. The figure is the worst of a hundred, the middle of all turns.
 */
export async function benchReplicaLag({ runs, scale }: { runs: number; scale: number }): Promise<Figure[]> {
  await using undo = new AsyncDisposableStack()
  const folder = await mkdtemp(join(os.tmpdir(), 'rm-bench-'))
  undo.defer(() => rm(folder, { recursive: true, force: true }))
  const { url, stop } = await startEmbedded({ dataDir: join(folder, 'server'), role: 'server' })
  undo.defer(() => stop())
  const times = Math.max(100, Math.round(fullTimes * scale))
  const ours = await oursAt(url, undo)
  const limit = await bareAt(url, undo)
  await measure(ours, times)
  await measure(limit, times)
  const took = { ours: [] as Lag[], limit: [] as Lag[] }
  for (let run = 0; run < runs; run += 1) {
    took.ours.push(await measure(ours, times))
    took.limit.push(await measure(limit, times))
  }
  return (['p99', 'p50'] as const).map(which => {
    const of = (side: 'ours' | 'limit') => median(took[side].map(lag => lag[which]))
    const [one, bare] = [of('ours'), of('limit')]
    return figure(`replica-lag, ${which}`, one, bare)
  })
}

const figure = (name: string, ours: number, limit: number): Figure => ({
  ...{ name, unit: 'ms', ours: rounded(ours), limit: rounded(limit), ratio: rounded(ours / limit) },
  ...{ goal: goalMs, ok: ours <= goalMs },
})

type Lag = { p50: number; p99: number }
/** Tells of one change, and resolves when the other end knows. */
type Tell = () => Promise<void>

async function measure(tell: Tell, times: number): Promise<Lag> {
  const took: number[] = []
  for (let time = 0; time < times; time += 1) {
    const began = performance.now()
    await tell()
    took.push(performance.now() - began)
  }
  const sorted = took.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99) }
}

async function oursAt(url: string, undo: AsyncDisposableStack): Promise<Tell> {
  const [here, there] = [openDatabase(url, { max: 10 }), openDatabase(url, { max: 10 })]
  const bus = await startBus(there.sql)
  const over = new AbortController()
  undo.defer(async () => {
    await bus.close()
    await Promise.all([here.close(), there.close()])
  })
  const id = newId()
  let heard = () => {}
  const ready = new Promise<void>(resolve => (heard = resolve))
  const listening = (async () => {
    // Its slow look finds nothing, so that only what was told wakes it.
    for await (const _ of bus.wakeups([{ topic: 'job', id }], over.signal, () => {})) heard()
  })()
  undo.defer(async () => {
    over.abort()
    await listening
  })
  // At first a reader is woken to read everything.
  await ready
  return async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    heard = resolve
    await here.db.transaction(tx => notify(tx, 'job', id))
    await promise
  }
}

/** The transaction as well: it is what takes a change along. */
async function bareAt(url: string, undo: AsyncDisposableStack): Promise<Tell> {
  const [here, there] = [connectPostgres(url, { max: 1 }), connectPostgres(url, { max: 1 })]
  undo.defer(async () => void (await Promise.all([here.end(), there.end()])))
  let heard = () => {}
  await there.listen('bench', () => heard())
  return async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    heard = resolve
    await here.begin(tx => tx`select pg_notify('bench', 'job')`)
    await promise
  }
}
