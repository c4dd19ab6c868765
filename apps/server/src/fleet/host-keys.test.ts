// Another key for a host: wherever either end crashes the host gets in, the new key takes over, and the old one is refused.
import { and, eq, gt } from 'drizzle-orm'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { hosts } from '../db/schema.ts'
import { agentSessions } from '../db/schema-sessions.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, enrolMachine, makeKey, proveMachine } from '../testing-fleet.ts'
import { alertPage } from './alert-views.ts'
import { offerKey, wantNewKey } from './host-keys.ts'
import { nextOrders, nothingSent } from './orders.ts'
import { claimBearer } from './sessions.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

type Key = ReturnType<typeof makeKey>

const rowOf = async (hostId: string) => {
  const [row] = await database.db.select().from(hosts).where(eq(hosts.id, hostId))
  if (row === undefined) throw new Error('no such host')
  return row
}

test('the old key is good until the new one was used, and refused with an alert from then on', async () => {
  const machine = await enrolMachine(database.db)
  const session = await connectMachine(database.db, machine)
  const fresh = makeKey()
  await wantNewKey(database.db, machine.hostId)
  const orders = await nextOrders(database.db, database.seal, session, nothingSent())
  expect(orders.map(each => each.order)).toContain('agent.rotateKey')
  await offerKey(database.db, session, fresh.publicKey)
  await offerKey(database.db, session, fresh.publicKey)
  await connectMachine(database.db, machine)
  const renewed = { ...machine, ...fresh }
  await connectMachine(database.db, renewed)
  expect(await rowOf(machine.hostId)).toMatchObject({
    ...{ publicKey: fresh.publicKey, nextPublicKey: null, keyChangeWantedAt: null },
    keyChangedAt: expect.any(Date),
  })
  const old = { ...renewed, privateKey: machine.privateKey }
  await expect(proveMachine(database.db, old)).rejects.toMatchObject({ code: 'session_unproven' })
  const { rows } = await alertPage(database.db, undefined, {
    ...{ which: 'open', limit: 10, hostId: machine.hostId },
  })
  expect(rows).toMatchObject([{ kind: 'old_key_used' }])
  await connectMachine(database.db, renewed)
})

test('a key of another host, one that was replaced, and an older session change nothing', async () => {
  const machine = await enrolMachine(database.db)
  const other = await enrolMachine(database.db)
  const stale = await connectMachine(database.db, machine)
  const session = await connectMachine(database.db, machine)
  const offer = (publicKey: string, from = session) => offerKey(database.db, from, publicKey)
  await expect(offer(other.publicKey)).rejects.toMatchObject({ code: 'key_taken' })
  await expect(offer(makeKey().publicKey, stale)).rejects.toMatchObject({ code: 'session_fenced' })
  const fresh = makeKey()
  await offer(fresh.publicKey)
  const renewed = { ...machine, ...fresh }
  const next = await connectMachine(database.db, renewed)
  await expect(offer(machine.publicKey, next)).rejects.toMatchObject({ code: 'key_taken' })
})

const crashes = ['none', 'before proof', 'after proof', 'in settling', 'before offer', 'after offer'] as const
type Crash = (typeof crashes)[number]

/** What an agent has on its disk, and how it dials. */
function makeAgent(hostId: string, first: Key) {
  const disk = {
    ...{ current: first, next: undefined as Key | undefined, before: undefined as Key | undefined },
    ...{ confirmed: null as string | null, session: newId() },
  }
  const keys = () => [disk.next, disk.current, disk.before].filter(key => key !== undefined)
  async function proveAny() {
    for (const key of keys()) {
      const machine = { hostId, ...key, confirmed: disk.confirmed, next: disk.session }
      const { bearer } = await proveMachine(database.db, machine).catch((error: { code?: string }) => {
        if (error.code === 'session_unproven') return { bearer: undefined }
        throw error
      })
      if (bearer !== undefined) return { bearer, key }
    }
    throw new Error('this host is locked out')
  }
  return {
    disk,
    keys,
    async dial(crash: Crash) {
      if (crash === 'before proof') return
      const { bearer, key } = await proveAny()
      if (crash === 'after proof') return
      if (key === disk.next) {
        disk.before = disk.current
        if (crash === 'in settling') return
        disk.current = key
        disk.next = undefined
      }
      const session = await claimBearer(database.db, bearer)
      disk.confirmed = disk.session
      disk.session = newId()
      const wanted = disk.next ?? disk.current
      if (key === wanted || crash === 'before offer') return
      await offerKey(database.db, session, wanted.publicKey)
      if (crash === 'after offer') return
      await this.dial('none')
    },
  }
}

test('wherever it crashes, and from an older dump, a host gets in, has its new key in the end, and is never suspected', async () => {
  const step = fc.oneof(
    fc.constantFrom('new key', 'new key', 'take dump', 'older dump'),
    fc.record({ crash: fc.constantFrom(...crashes) }),
    fc.record({ crash: fc.constantFrom(...crashes) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), async history => {
      const machine = await enrolMachine(database.db)
      const { hostId } = machine
      const agent = makeAgent(hostId, machine)
      let dump = await rowOf(hostId)
      for (const each of history) {
        if (each === 'new key') agent.disk.next ??= makeKey()
        else if (each === 'take dump') dump = await rowOf(hostId)
        else if (each === 'older dump') {
          // An agent keeps the key before the one it has, so a dump from before two changes is too old.
          if (!agent.keys().some(key => key.publicKey === dump.publicKey)) continue
          const { publicKey, nextPublicKey, previousPublicKey, sessionId, sessionNumber } = dump
          const then = { publicKey, nextPublicKey, previousPublicKey, sessionId, sessionNumber }
          await database.db.update(hosts).set(then).where(eq(hosts.id, hostId))
          await database.db
            .delete(agentSessions)
            .where(and(eq(agentSessions.hostId, hostId), gt(agentSessions.number, sessionNumber)))
        } else if (typeof each === 'object') await agent.dial(each.crash)
      }
      const wanted = agent.disk.next ?? agent.disk.current
      await agent.dial('none')
      expect(agent.disk).toMatchObject({ current: wanted, next: undefined })
      expect(await rowOf(hostId)).toMatchObject({ publicKey: wanted.publicKey, quarantinedAt: null })
      const open = await alertPage(database.db, undefined, { which: 'open', limit: 10, hostId })
      expect(open.rows).toEqual([])
      if (agent.disk.before !== undefined) {
        const old = {
          hostId,
          ...agent.disk.before,
          confirmed: agent.disk.confirmed,
          next: agent.disk.session,
        }
        await expect(proveMachine(database.db, old)).rejects.toMatchObject({ code: 'session_unproven' })
      }
    }),
    { numRuns: 25 },
  )
})
