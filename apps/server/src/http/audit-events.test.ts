// The audit log promises: who came in, who was turned away and what agents were caught at is written down, however often it is tried.
import { asc, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { until } from '@restic-manager/testkit/until'
import { createInvitation } from '../auth/invitations.ts'
import { completeSetup, mintSetupSecret } from '../auth/setup.ts'
import { auditEvents, auditRepeats } from '../db/schema-operators.ts'
import type { Db } from '../db/open.ts'
import { tellRepeats, writeHostile } from '../fleet/audit-repeats.ts'
import { nobodyAt } from '../fleet/audit.ts'
import { countForeignIds } from '../fleet/foreign-ids.ts'
import { answerCommand } from '../fleet/job-reports.ts'
import { redeemEnrolment } from '../fleet/enrolments.ts'
import { connectMachine, enrolMachine, makeHost, makeKey, proveMachine, quiet } from '../testing-fleet.ts'
import { startServer, testDatabase, type TestServer } from '../testing.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const readEvents = (db: Db) => db.select().from(auditEvents).orderBy(asc(auditEvents.number))

async function post(path: string, body: object, headers: Record<string, string> = {}) {
  return fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: server.url, ...headers },
    body: JSON.stringify(body),
  })
}

test('signing in, proving it again and signing out are written down, with what was shown and from where', async () => {
  const account = await server.createOperator()
  const known = (await readEvents(server.db)).length
  const session = await post('/auth/sign-in/email', account)
  const cookie = session.headers
    .getSetCookie()
    .map(line => line.split(';')[0])
    .join('; ')
  expect((await post('/auth/prove', { password: account.password }, { cookie })).status).toBe(200)
  expect((await post('/auth/prove', { password: 'wrong' }, { cookie })).status).toBe(403)
  expect((await post('/auth/sign-out', {}, { cookie })).status).toBe(200)
  const who = {
    actorKind: 'operator',
    actorId: account.operatorId,
    actorName: account.email,
    address: '127.0.0.1',
  }
  expect((await readEvents(server.db)).slice(known)).toMatchObject([
    { ...who, action: 'signed in', after: { by: 'password' } },
    { ...who, action: 'proved', after: { by: 'password' } },
    { actorKind: 'nobody', action: 'proof refused', targetId: account.operatorId },
    { ...who, action: 'signed out' },
  ])
})

test('a password that is tried many times makes one row, and one more that counts the rest', async () => {
  const account = await server.createOperator()
  for (const password of ['one', 'two', 'three']) await post('/auth/sign-in/email', { ...account, password })
  await post('/auth/sign-in/email', { email: 'my secret password', password: 'x' })
  const failures = async () => (await readEvents(server.db)).filter(row => row.action === 'sign-in failed')
  await until(
    () => server.db.select().from(auditRepeats),
    rows => rows.some(row => row.key.includes(account.operatorId) && row.count === 3),
  )
  await until(failures, rows => rows.length === 2)
  await server.db.update(auditRepeats).set({ since: sql`now() - interval '11 minutes'` })
  await tellRepeats(server.db)
  await tellRepeats(server.db)
  const rows = await failures()
  expect(rows.filter(row => row.targetId === account.operatorId)).toMatchObject([
    { address: '127.0.0.1', after: null },
    { address: '127.0.0.1', after: { timesMore: 2 } },
  ])
  expect(JSON.stringify(rows)).not.toContain('my secret password')
})

test('however many addresses try it, the record of it stays small', async () => {
  await using database = await testDatabase()
  for (let n = 0; n < 130; n += 1)
    await writeHostile(database.db, { actor: nobodyAt(`10.0.0.${n}`), action: 'enrolment refused' })
  expect(await readEvents(database.db)).toHaveLength(101)
  expect((await readEvents(database.db)).at(-1)).toMatchObject({ actorName: 'many' })
})

test('set-up, and an invitation that is accepted, name who came in and who let them', async () => {
  await using database = await testDatabase()
  const { db } = database
  const secret = (await mintSetupSecret(db)) ?? ''
  const admin = { name: 'Ada', email: 'ada@example.org', password: '0123456789', address: '10.0.0.9' }
  await completeSetup(db, { ...admin, secret })
  expect(await readEvents(db)).toMatchObject([
    {
      number: 1,
      action: 'set-up completed',
      actorKind: 'nobody',
      address: '10.0.0.9',
      targetName: admin.email,
    },
  ])
  const invitation = { email: 'bo@example.org', role: 'viewer' as const, tags: null, createdBy: admin.email }
  const link = await createInvitation(server.db, invitation)
  const guess = await post('/auth/invitation/accept', {
    secret: 'a guess',
    name: 'Bo',
    password: '0123456789',
  })
  expect(guess.status).toBe(403)
  await post('/auth/invitation/accept', { secret: link, name: 'Bo', password: '0123456789' })
  expect((await readEvents(server.db)).slice(-3)).toMatchObject([
    { action: 'invitation refused' },
    { action: 'invitation accepted', targetName: 'bo@example.org', after: { invitedBy: 'ada@example.org' } },
    { action: 'signed in', actorName: 'bo@example.org', after: { by: 'invitation' } },
  ])
  expect(JSON.stringify(await readEvents(server.db))).not.toContain(link)
})

test('an enrolment that is redeemed, one that is refused, and a clone are written down', async () => {
  await using database = await testDatabase()
  const { db } = database
  const machine = await enrolMachine(db)
  const again = { token: 'rmj_no-such-token', publicKey: makeKey().publicKey, hostname: 'evil\u0000\ud800' }
  for (let n = 0; n < 3; n += 1)
    await redeemEnrolment(db, again, { log: quiet, address: '10.6.6.6' }).catch(() => undefined)
  const copy = { ...machine }
  await connectMachine(db, machine)
  copy.next = newId()
  await proveMachine(db, copy).catch(() => undefined)
  const about = { targetKind: 'host', targetId: machine.hostId, hostIds: [machine.hostId] }
  expect(await readEvents(db)).toMatchObject([
    {
      ...about,
      action: 'enrolment redeemed',
      actorKind: 'host',
      address: '127.0.0.1',
      after: { isNew: true },
    },
    { action: 'enrolment refused', address: '10.6.6.6', after: { because: 'unknown' } },
    { ...about, action: 'host quarantined', actorKind: 'server' },
  ])
})

test('a host that names what is not its own is written down once, and counted', async () => {
  await using database = await testDatabase()
  const { db, seal } = database
  const [mine, other] = [await makeHost(db, seal), await makeHost(db, seal, 'web-2')]
  const { jobId } = await other.backUp()
  const log = quiet
  for (let n = 0; n < 3; n += 1)
    await countForeignIds({ db, host: mine.sender, log }, jobId, () =>
      answerCommand(db, mine.sender, {
        ...mine.fact(),
        ...{ jobId, repositoryId: other.repositoryId, kind: 'backup', accepted: true },
      }),
    ).catch(() => undefined)
  expect((await readEvents(db)).filter(row => row.action === 'foreign id refused')).toMatchObject([
    { actorKind: 'host', actorId: mine.hostId, hostIds: [mine.hostId], after: { named: jobId } },
  ])
  expect(await db.select().from(auditRepeats)).toMatchObject([{ count: 3 }])
})
