// What the listening connection does when it is refused: it says so, goes on trying, and hears again.
import { expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import type { Log } from '@restic-manager/runtime/log'
import { startTcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { until } from '@restic-manager/testkit/until'
import { ownPostgres } from '../testing-own-postgres.ts'
import { notify, startBus, type Wakeup } from './bus.ts'
import { migrateDatabase } from './migrate.ts'
import { openDatabase } from './open.ts'
import { createReadyCheck } from './ready.ts'

test('a database that refuses to be listened to makes a server not ready; it tries on, and then reads everything and hears again', async () => {
  await using undo = new AsyncDisposableStack()
  const primary = undo.use(await ownPostgres())
  await migrateDatabase(primary.url)
  const standby = undo.use(await primary.follow())
  // An address that moves to a standby before that one leads, as a name or a virtual address may.
  const proxy = undo.use(await startTcpProxy({ port: primary.port }))
  const { db, sql, close } = openDatabase(primary.url.replace(`:${primary.port}/`, `:${proxy.port}/`), {
    max: 2,
  })
  undo.defer(close)
  const said: string[] = []
  const keep = ({ code }: { code: string }, sentence: string) => void said.push(`${code} ${sentence}`)
  const log = { warn: keep, info: () => {} } as unknown as Log
  const bus = await startBus(sql, { pollMs: 3_600_000, log })
  undo.defer(() => bus.close())
  const ready = createReadyCheck(standby.url, bus.isDeaf)
  undo.defer(() => ready.close())
  const stop = new AbortController()
  undo.defer(() => stop.abort())
  const seen: Wakeup[] = []
  const reading = (async () => {
    for await (const wakeup of bus.wakeups([{ topic: 'host' }], stop.signal)) seen.push(wakeup)
  })()
  await until(() => seen.length === 1)
  expect(await ready.ask()).toBeUndefined()

  await standby.fallBehind()
  proxy.retarget({ port: standby.port })
  proxy.dropAll()
  await until(() => said.some(line => line.startsWith('25006 the server cannot listen')))
  await until(async () => (await ready.ask()) === 'database')
  expect(seen).toHaveLength(1)

  await standby.promote()
  await until(() => seen.length === 2)
  expect(seen[1]).toEqual({ everything: true, changes: [] })
  await until(async () => (await ready.ask()) === undefined)
  const id = newId()
  await notify(db, 'host', id)
  await until(() => seen.length === 3)
  expect(seen[2]?.changes).toEqual([{ topic: 'host', id }])
  stop.abort()
  await reading
})
