// Maintenance hosts: who may delete, whose word a risk is, and that the admin credential goes nowhere else.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { hosts, jobs } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost, repositoryOf } from '../testing-fleet.ts'
import {
  accept,
  ADMIN_SECRET,
  end,
  makeVault,
  ordersOf,
  rowOf,
  run,
  type Vault,
} from '../testing-maintenance.ts'
import { planOn } from '../testing-schedules.ts'
import { configurationOf } from './configuration.ts'
import { viewHost } from './host-views.ts'
import { viewJob } from './job-views.ts'
import { createRepository, removeRepository, updateRepository } from './repositories.ts'
import { keepStats } from './repository-stats.ts'
import { viewRepository } from './repository-views.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const vault = () => makeVault(database.db, database.seal)
const prune = { kind: 'prune', spec: {} } as const
const orders = (host: Vault['one']) => ordersOf(database.db, database.seal, host)
const editOf = async (repositoryId: string) => {
  const view = await viewRepository(database.db, repositoryId)
  const { name, url, mayDelete, version } = view
  return {
    repositoryId,
    name,
    url,
    mayDelete,
    version,
    username: 'everyday',
    adminUsername: 'admin',
    hostIds: view.hosts.map(host => host.id),
  }
}
type Edit = Partial<Parameters<typeof updateRepository>[2]>
const edit = async (repositoryId: string, over: Edit) =>
  updateRepository(
    database.db,
    database.seal,
    { ...(await editOf(repositoryId)), ...over },
    { requestedBy: 'anna@example.com' },
  )

describe('the admin credential', () => {
  test('goes with the order to the maintenance host, and with nothing else to nobody', async () => {
    const { one, keeper, repositoryId } = await vault()
    await keepStats(database.db, keeper.sender, {
      repositoryId,
      lockState: 'unlocked',
      resticId: 'd'.repeat(64),
    })
    const pruning = await run(database.db, keeper, prune)
    const heard = await orders(keeper)
    expect(heard).toMatchObject([
      { order: 'config.update', repositories: [] },
      {
        order: 'command.run',
        jobId: pruning,
        elevatedAccess: {
          url: expect.stringMatching(/^rest:/),
          password: expect.stringMatching(/^[\w-]{43}$/),
          username: 'admin',
          credential: ADMIN_SECRET,
        },
      },
    ])
    await accept(database.db, keeper, pruning)
    await end(database.db, keeper, pruning, 'succeeded')
    await one.backUp()
    const elsewhere = JSON.stringify([await orders(one), await orders(keeper)])
    expect(elsewhere).toContain('everyday-secret')
    expect(elsewhere).not.toContain(ADMIN_SECRET)

    await edit(repositoryId, { hostIds: [one.hostId, keeper.hostId], acceptsRisk: true })
    const config = await configurationOf(database.db, database.seal, {
      hostId: keeper.hostId,
      version: 1,
      maxConcurrentRuns: 1,
    })
    expect(config.repositories).toMatchObject([{ username: 'everyday', credential: 'everyday-secret' }])
    const shown = [
      await viewRepository(database.db, repositoryId),
      await viewHost(database.db, keeper.hostId),
      await viewJob(database.db, pruning),
    ]
    expect(JSON.stringify([config, shown])).not.toContain(ADMIN_SECRET)
    const tables = await database.sql`
      select (select string_agg(to_jsonb(jobs)::text, '') from jobs)
        || (select string_agg(to_jsonb(credentials)::text, '') from credentials)
        || (select string_agg(to_jsonb(repositories)::text, '') from repositories) as text`
    expect(tables[0]?.['text']).not.toContain(ADMIN_SECRET)
  })

  test('is not needed: without one of its own the everyday access is lent', async () => {
    const { one, keeper } = await vault()
    const { repositoryId } = await createRepository(database.db, database.seal, {
      ...repositoryOf({ hostIds: [one.hostId], url: `rest:https://vault.example.com/${newId()}/` }),
      username: 'only',
      credential: 'the-only-secret',
      maintenanceHostId: keeper.hostId,
    })
    await run(database.db, { ...keeper, repositoryId }, prune)
    expect(await orders(keeper)).toMatchObject([
      {},
      { elevatedAccess: { username: 'only', credential: 'the-only-secret' } },
    ])
  })

  test('is not lent to a host that is no longer the maintenance host', async () => {
    const { two, keeper } = await vault()
    const pruning = await run(database.db, keeper, prune)
    await database.db.update(jobs).set({ hostId: two.hostId }).where(eq(jobs.id, pruning))
    expect(await orders(two)).toMatchObject([{ order: 'config.update' }])
  })
})

describe('the risk that one host both backs up and may delete', () => {
  test('is refused in plain words until somebody accepts it, and then says who and shows it', async () => {
    const { hostId } = await makeHost(database.db, database.seal, 'nas')
    const request = { ...repositoryOf({ hostIds: [hostId] }), maintenanceHostId: hostId }
    const create = (over: object) =>
      createRepository(
        database.db,
        database.seal,
        { ...request, ...over },
        { requestedBy: 'anna@example.com' },
      )
    await expect(create({})).rejects.toMatchObject({
      code: 'risk_not_accepted',
      message: expect.stringContaining('nas backs up into this repository'),
    })
    const { repositoryId } = await create({ acceptsRisk: true })
    expect(await viewRepository(database.db, repositoryId)).toMatchObject({
      maintenanceHost: { id: hostId, name: 'nas' },
      ransomwareUnsafe: true,
      riskAcceptedBy: 'anna@example.com',
    })
  })

  test('was accepted once for a host: other edits do not ask again, another such host does', async () => {
    const { one, two, keeper, repositoryId } = await vault()
    expect(await viewRepository(database.db, repositoryId)).toMatchObject({
      maintenanceHost: { id: keeper.hostId, name: 'keeper' },
      adminUsername: 'admin',
      hasAdminCredential: true,
      ransomwareUnsafe: false,
      riskAcceptedBy: null,
    })
    await expect(edit(repositoryId, { maintenanceHostId: one.hostId })).rejects.toMatchObject({
      code: 'risk_not_accepted',
    })
    await edit(repositoryId, { maintenanceHostId: one.hostId, acceptsRisk: true })
    await edit(repositoryId, { name: `renamed ${newId()}` })
    expect(await viewRepository(database.db, repositoryId)).toMatchObject({
      ransomwareUnsafe: true,
      riskAcceptedBy: 'anna@example.com',
    })
    await expect(edit(repositoryId, { maintenanceHostId: two.hostId })).rejects.toMatchObject({
      code: 'risk_not_accepted',
    })
    await edit(repositoryId, { maintenanceHostId: keeper.hostId })
    expect(await viewRepository(database.db, repositoryId)).toMatchObject({
      ransomwareUnsafe: false,
      riskAcceptedBy: null,
    })
    await expect(edit(repositoryId, { hostIds: [one.hostId, keeper.hostId] })).rejects.toMatchObject({
      code: 'risk_not_accepted',
    })
  })

  test('a maintenance host that does not exist is refused', async () => {
    const { repositoryId } = await vault()
    await expect(edit(repositoryId, { maintenanceHostId: newId() })).rejects.toMatchObject({
      code: 'host_not_found',
    })
  })
})

describe('maintenance that an operator starts', () => {
  test('on the wrong host is refused with the name of the right one', async () => {
    const { one } = await vault()
    for (const kind of ['prune', 'check'] as const)
      await expect(run(database.db, one, { kind, spec: {} })).rejects.toMatchObject({
        code: 'not_maintenance_host',
        message: expect.stringContaining('keeper'),
      })
    const targets = [{ hostId: one.hostId, scheduleId: newId() }]
    const forget = (dryRun: boolean) =>
      run(database.db, one, { kind: 'forget', spec: { retention: { daily: 7 }, dryRun, targets } })
    await expect(forget(false)).rejects.toMatchObject({ code: 'not_maintenance_host' })
    expect(await forget(true)).toEqual(expect.any(String))
  })

  test('where nobody maintains the repository says so', async () => {
    const host = await makeHost(database.db, database.seal)
    await expect(run(database.db, host, prune)).rejects.toMatchObject({
      code: 'not_maintenance_host',
      message: expect.stringContaining('no maintenance host'),
    })
    expect(await run(database.db, host, { kind: 'check', spec: {} })).toEqual(expect.any(String))
  })
})

describe('when another host becomes the maintenance host', () => {
  test('what was held goes to it, and what the old one may have heard is taken back', async () => {
    const { one, keeper, repositoryId } = await vault()
    const heard = await run(database.db, keeper, prune)
    const held = await run(database.db, keeper, { kind: 'check', spec: {} })
    const next = await makeHost(database.db, database.seal, 'next')
    await edit(repositoryId, { maintenanceHostId: next.hostId })
    expect(await rowOf(database.db, heard)).toMatchObject({ status: 'cancelled', hostId: keeper.hostId })
    expect(await orders(keeper)).toMatchObject([{}, { order: 'command.cancel', jobId: heard }])
    expect(await orders(next)).toMatchObject([
      { order: 'config.update' },
      { order: 'command.run', jobId: held, elevatedAccess: { credential: ADMIN_SECRET } },
    ])
    expect(await orders(one)).toHaveLength(1)
  })

  test('and nobody follows, what was held is skipped with its reason', async () => {
    const { one, keeper, repositoryId } = await vault()
    await accept(database.db, one, (await one.backUp()).jobId)
    const held = await run(database.db, keeper, prune)
    await edit(repositoryId, { maintenanceHostId: null })
    expect(await rowOf(database.db, held)).toMatchObject({
      status: 'skipped',
      reason: 'no_maintenance_host',
    })
  })
})

test('a repository that schedules use is not removed, and they are named', async () => {
  const host = await makeHost(database.db, database.seal, 'planned')
  await planOn(database.db, host, { name: 'nightly' })
  const { name: confirmName } = await viewRepository(database.db, host.repositoryId)
  await expect(
    removeRepository(database.db, { repositoryId: host.repositoryId, confirmName }),
  ).rejects.toMatchObject({
    code: 'repository_in_use',
    message: expect.stringMatching(/nightly on planned/),
  })
  await database.db.update(hosts).set({ removedAt: new Date() }).where(eq(hosts.id, host.hostId))
  await removeRepository(database.db, { repositoryId: host.repositoryId, confirmName })
})
