// Which connections are looked at: those of hosts of which it changed who may stay, and of no others.
import { drizzle } from 'drizzle-orm/postgres-js'
import { expect, test } from 'vitest'
import { toInstant } from '@restic-manager/contract/scalars'
import { until } from '@restic-manager/testkit/until'
import { type Bus, startBus } from '../db/bus.ts'
import { connect, type Db } from '../db/open.ts'
import { ackConfiguration, changeConfiguration } from '../fleet/configuration.ts'
import { removeHost } from '../fleet/hosts.ts'
import { testDatabase } from '../testing.ts'
import { makeHost, type TestHost } from '../testing-fleet.ts'
import { keepLog } from '../testing-log.ts'
import { watchAgentSockets } from './agent-sockets.ts'
import type { Link } from './socket-link.ts'

test('an edit of a fleet and its acks have no connection looked at, and a removal has', async () => {
  await using database = await testDatabase()
  const { db, sql, seal } = database
  const looks: string[] = []
  const client = connect(database.url, { max: 1 })
  const logger = { logQuery: (_: string, parameters: unknown[]) => void looks.push(String(parameters[0])) }
  const noted = drizzle(client, { logger }) as unknown as Db
  const [edited, removed] = [await makeHost(db, seal, 'web-1'), await makeHost(db, seal, 'web-2')]
  const bus = await startBus(sql, { pollMs: 3_600_000 })
  const sockets = watchAgentSockets({ db: noted, bus, log: keepLog('warn').log })

  const closed: string[] = []
  for (const { sender } of [edited, removed]) sockets.add(sender, linkOf(sender.id, closed))
  const named = ({ hostId }: TestHost) => looks.filter(text => text.includes(hostId)).length
  await until(() => named(edited) > 0 && named(removed) > 0)
  await using told = await hear(bus, edited.hostId)
  const before = named(edited)

  await changeConfiguration(db, async () => ({ result: undefined, hostIds: [edited.hostId] }))
  await ackConfiguration(db, edited.sender, { version: 3, appliedAt: toInstant(Date.now()) })
  await until(() => told.count() > 0)
  await removeHost(db, { hostId: removed.hostId, confirmName: 'web-2' })
  await until(() => closed.length > 0)
  expect(closed).toEqual([`${removed.hostId} shut`])
  expect(named(edited)).toBe(before)

  sockets.stop()
  await bus.close()
  await client.end()
})

const linkOf = (hostId: string, closed: string[]) =>
  ({
    closed: new AbortController().signal,
    close: reason => void closed.push(`${hostId} ${reason}`),
  }) as Pick<Link, 'closed' | 'close'> as Link

/** Counts what is told of a host from now on. */
async function hear(bus: Bus, id: string) {
  const stop = new AbortController()
  const wakeups = bus.wakeups([{ topic: 'host', id }], stop.signal)[Symbol.asyncIterator]()
  await wakeups.next()
  let count = 0
  const listening = (async () => {
    for (let next = await wakeups.next(); !next.done; next = await wakeups.next()) count += 1
  })()
  return {
    count: () => count,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await listening
    },
  }
}
