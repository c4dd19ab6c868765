// Secrets of a repository are shown to an admin who has just shown that it is them, and the audit log says so.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import type { Principal } from '../context.ts'
import { hosts } from '../db/schema.ts'
import { auditEvents, operatorSessions } from '../db/schema-operators.ts'
import { createRepository } from '../fleet/repositories.ts'
import { enrolMachine, repositoryOf } from '../testing-fleet.ts'
import { type OperatorServer, operatorServer, signedIn } from '../testing-routers.ts'

const secrets = { password: 'canary-p', credential: 'canary-e', adminCredential: 'canary-a' }
let server: OperatorServer
let repositoryId: string
beforeAll(async () => {
  server = await operatorServer()
  const { db, seal } = server.database
  const [one, two] = [await enrolMachine(db, 'web-1'), await enrolMachine(db, 'db-1')]
  await db
    .update(hosts)
    .set({ tags: ['web'] })
    .where(eq(hosts.id, one.hostId))
  const made = await createRepository(db, seal, {
    ...repositoryOf({ hostIds: [one.hostId, two.hostId], url: 'rest:https://vault.example.com/r/' }),
    ...{ ...secrets, name: 'vault', mayDelete: false, username: 'everyday', adminUsername: 'admin' },
    maintenanceHostId: (await enrolMachine(db, 'keeper')).hostId,
  })
  repositoryId = made.repositoryId
})
afterAll(() => server.close())

const reveal = (caller: Parameters<OperatorServer['call']>[0], id = repositoryId) =>
  server.call(caller, 'mutation', 'repositories.reveal', { repositoryId: id })
const rows = () =>
  server.database.db.select().from(auditEvents).where(eq(auditEvents.action, 'repositories.reveal'))

test('an admin with a fresh factor is told everything, and each time leaves a row without any of it', async () => {
  const admin = await signedIn(server.database.db, 'admin')
  const { status, said } = await reveal(admin)
  expect(status).toBe(200)
  for (const secret of Object.values(secrets)) expect(said).toContain(secret)
  expect(said).toContain('"hosts":["db-1","web-1"]')
  await reveal(admin)
  const told = await rows()
  expect(told).toMatchObject([
    { actorName: admin.email, targetKind: 'repository', targetName: 'vault' },
    { actorName: admin.email, targetKind: 'repository', targetName: 'vault' },
  ])
  expect(JSON.stringify(told)).not.toContain('canary')
})

test('nobody else is told, and a refusal leaves no row that says otherwise', async () => {
  const { db } = server.database
  const before = await rows()
  const stale = await signedIn(db, 'admin')
  await db
    .update(operatorSessions)
    .set({ provedAt: new Date(0) })
    .where(eq(operatorSessions.userId, stale.operatorId))
  const by: Principal['by'] = { kind: 'key', keyId: newId(), name: 'k', scopes: ['*'] }
  const cases: [Principal | Principal['role'] | undefined, string][] = [
    [undefined, 'not_signed_in'],
    ['viewer', 'not_allowed'],
    ['operator', 'not_allowed'],
    [{ ...stale, by: { ...stale.by, provedAt: new Date(0) } as Principal['by'] }, 'second_factor_needed'],
    [{ ...stale, by }, 'not_allowed'],
    // A host of others uses it too: its backups would be told with the password.
    [await signedIn(db, 'admin', ['web']), 'not_allowed'],
  ]
  for (const [caller, refusal] of cases) {
    const answer = await reveal(caller)
    expect(answer.refusal).toBe(refusal)
    expect(answer.said).not.toContain('canary')
  }
  expect((await reveal('admin', newId())).refusal).toBe('repository_not_found')
  expect(await rows()).toEqual(before)
})
