// What a whole server does while its database is frozen, full, gone for good, and replaced by its standby.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import type { Change } from '@restic-manager/contract/change'
import { is, until } from '@restic-manager/testkit/until'
import { databaseName, databaseUser, ownPostgres } from '../testing-own-postgres.ts'
import { startServer, type TestServer } from '../testing.ts'
import { makeHost, sealOf } from '../testing-fleet.ts'
import { openDatabase, type OpenDatabase } from './open.ts'

const uncaught: unknown[] = []
const remember = (error: unknown) => void uncaught.push(error)
beforeEach(() => {
  uncaught.length = 0
  process.on('uncaughtException', remember)
  process.on('unhandledRejection', remember)
})
afterEach(() => {
  process.off('uncaughtException', remember)
  process.off('unhandledRejection', remember)
  if (uncaught.length > 0) throw new AggregateError(uncaught, 'errors that nobody caught')
})

/** A server of this process on that database, and a way to look past it. */
async function serverOn(databaseUrl: string, options: { wait?: number; answer?: number } = {}) {
  await using undo = new AsyncDisposableStack()
  const folder = await mkdtemp('/tmp/rm-faults-')
  undo.defer(() => rm(folder, { recursive: true, force: true }))
  const open: OpenDatabase = openDatabase(databaseUrl, { max: 3 })
  undo.defer(() => open.close())
  const beside = { databaseUrl, db: open.db, secretKeyFile: `${folder}/secret.key` }
  const timing = { databaseWait: options.wait ?? 1_000, databaseAnswer: options.answer ?? 2_000 }
  const server = undo.use(await startServer({ beside, timing }))
  const owned = undo.move()
  return { server, db: open.db, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

const enrol = ({ api }: TestServer, requestId = newId()) =>
  api.enrolments.create.mutate({ requestId, lifeMinutes: 60, maxUses: 1, tags: [] })

/** What an open page hears. */
function listen({ api }: TestServer) {
  const [changes, silences]: [Change[], (Date | null)[]] = [[], []]
  const opened = [
    api.live.changes.subscribe(undefined, { onData: change => changes.push(change) }),
    api.live.database.subscribe(undefined, { onData: ({ silentSince }) => silences.push(silentSince) }),
  ]
  return { changes, silences, stop: () => opened.forEach(one => one.unsubscribe()) }
}

/** What the server says of itself: ready or not, and alive. */
async function wellnessOf({ url }: TestServer) {
  const [ready, alive] = await Promise.all([fetch(`${url}/readyz`), fetch(`${url}/healthz`)])
  return {
    ready: ready.status,
    reason: ((await ready.json()) as { reason?: string }).reason,
    alive: alive.status,
  }
}
const unavailable = { data: { code: 'SERVICE_UNAVAILABLE', refusal: 'unavailable' } }

test('a frozen database gives every caller a sentence within a bounded wait, and all is well when it thaws (row 17)', async () => {
  await using own = await ownPostgres()
  await using world = await serverOn(own.url)
  const { server } = world
  await enrol(server)
  await own.freeze()

  // More than there are connections, and a second round when the first ones have been given up.
  for (const calls of [60, 20]) {
    const outcomes = await Promise.allSettled(Array.from({ length: calls }, () => enrol(server)))
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: unavailable })
      expect((outcome as PromiseRejectedResult).reason.message).toMatch(/Try again shortly/)
    }
  }
  expect(await wellnessOf(server)).toEqual({ ready: 503, reason: 'database', alive: 200 })
  const stranger = await fetch(`${server.url}/auth/setup`)
  expect({ status: stranger.status, said: await stranger.json() }).toMatchObject({
    status: 503,
    said: { code: 'unavailable' },
  })

  await own.thaw()
  const { enrolmentId } = await until(() => enrol(server))
  expect(enrolmentId).toBeTypeOf('string')
  await until(() => wellnessOf(server), is({ ready: 200, reason: undefined, alive: 200 }))
})

test('when the primary dies and its standby takes over, the server goes on there, with everything it had acknowledged', async () => {
  await using primary = await ownPostgres({ settings: { synchronous_commit: 'on' } })
  await using standby = await primary.follow()
  const url = `postgres://${databaseUser}:${primary.password}@127.0.0.1:${standby.port},127.0.0.1:${primary.port}/${databaseName}?target_session_attrs=read-write`
  await using world = await serverOn(url)
  const { server, db } = world
  // From here on a commit waits for the standby to have it.
  await db.execute(sql`alter system set synchronous_standby_names = 'standby'`)
  await db.execute(sql`select pg_reload_conf()`)
  await until(
    async () => (await db.execute(sql`select sync_state from pg_stat_replication`))[0],
    is({ sync_state: 'sync' }),
  )
  const host = await makeHost(db, sealOf(server))
  const known = await Promise.all(Array.from({ length: 20 }, () => enrol(server)))

  const { changes, silences, stop } = listen(server)
  await until(() => changes.length > 0 && silences.length > 0)

  await primary.kill()
  await until(() => wellnessOf(server), is({ ready: 503, reason: 'database', alive: 200 }))
  await expect(enrol(server)).rejects.toMatchObject(unavailable)
  await until(() => silences.length === 2)
  await standby.promote()

  const later = await until(() => enrol(server))
  await until(() => wellnessOf(server), is({ ready: 200, reason: undefined, alive: 200 }))
  const kept = (await server.api.enrolments.list.query()).map(({ id }) => id)
  for (const { enrolmentId } of [...known, later]) expect(kept).toContain(enrolmentId)
  // Those who listened before hear of what is changed now, and of the silence in between.
  await server.api.hosts.update.mutate({ hostId: host.hostId, name: 'renamed' })
  await until(() => changes.some(({ topic, id }) => topic === 'host' && id === host.hostId))
  await until(() => silences.map(since => since instanceof Date), is([false, true, false]))
  stop()
})

/** A file system of its own that can be filled up; undefined where only root could make one. */
async function smallDisk() {
  const folder = await mkdtemp('/tmp/rm-small-disk-')
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=120m', 'tmpfs', folder])
  const dispose = async () => {
    if (mounted.status === 0) spawnSync('umount', ['--lazy', folder])
    await rm(folder, { recursive: true, force: true })
  }
  if (mounted.status !== 0) {
    await dispose()
    return undefined
  }
  const ballast = join(folder, 'ballast')
  return {
    folder,
    /** All but a few pages. */
    async fill() {
      const { bavail, bsize } = await statfs(folder)
      await writeFile(ballast, Buffer.alloc(bavail * bsize - 192 * 1024))
    },
    clear: () => rm(ballast),
    [Symbol.asyncDispose]: dispose,
  }
}

test('when the disk of the database is full, changes are refused with a sentence and none is half done', async ({
  skip,
}) => {
  await using full = await smallDisk()
  if (full === undefined) return skip('a small disk can only be mounted by root')
  await using own = await ownPostgres({ folder: full.folder })
  await using world = await serverOn(own.url)
  const { server, db } = world
  const host = await makeHost(db, sealOf(server))
  const create = (n: number) =>
    server.api.repositories.create.mutate({
      requestId: newId(),
      name: `repository ${n}`,
      url: `/srv/${n}/${'x'.repeat(1_500)}`,
      hostIds: [host.hostId],
    })
  await create(0)
  // A fresh segment of the log: it is the tables that have no room.
  await db.execute(sql`select pg_switch_wal()`)
  await create(1)
  await full.fill()
  const made: string[] = []
  let refusal: unknown
  for (let n = 2; refusal === undefined; n += 1)
    await create(n).then(
      ({ repositoryId }) => made.push(repositoryId),
      (error: unknown) => (refusal = error),
    )
  expect(refusal).toMatchObject({
    ...unavailable,
    message: expect.stringContaining('disk of the database is full'),
  })
  expect(await wellnessOf(server)).toEqual({ ready: 200, reason: undefined, alive: 200 })
  const listed = await server.api.repositories.list.query()
  expect(listed.map(({ id }) => id)).toEqual(expect.arrayContaining(made))

  await full.clear()
  const { repositoryId } = await create(1_000_000)
  const whole = await db.execute(sql`select count(*)::integer as n from repositories
    join host_repositories on host_repositories.repository_id = repositories.id
    join credentials on credentials.repository_id = repositories.id`)
  const all = await server.api.repositories.list.query()
  expect(whole).toEqual([{ n: all.length }])
  expect(all.map(({ id }) => id)).toContain(repositoryId)
})
