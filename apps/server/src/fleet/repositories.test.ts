// Repositories: made once, changed by who saw them last, secrets sealed, and every host told of it.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { hosts, jobs, repositories } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { asAnna, enrolMachine, makeHost, repositoryOf } from '../testing-fleet.ts'
import { configurationOf } from './configuration.ts'
import { runJob } from './jobs.ts'
import { createRepository, removeRepository, updateRepository } from './repositories.ts'
import { keepStats } from './repository-stats.ts'
import { listRepositories, viewRepository } from './repository-views.ts'
import { wholeFleet } from './scope.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const create = (request: Parameters<typeof createRepository>[2]) =>
  createRepository(database.db, database.seal, request)
const versionOf = async (hostId: string) => {
  const [host] = await database.db
    .select({ version: hosts.configVersion })
    .from(hosts)
    .where(eq(hosts.id, hostId))
  return host?.version ?? 0
}
const editOf = async (repositoryId: string) => {
  const {
    id: _,
    hosts: users,
    name,
    url,
    mayDelete,
    version,
  } = await viewRepository(database.db, repositoryId)
  return { repositoryId, name, url, mayDelete, version, hostIds: users.map(user => user.id) }
}

test('a password is minted, shown once, and stored only sealed', async () => {
  const { hostId } = await enrolMachine(database.db)
  const request = {
    ...repositoryOf({ hostIds: [hostId], url: 'rest:https://backup.example.com/web-1/' }),
    username: 'web',
    credential: 'canary-credential',
  }
  const { repositoryId, password } = await create(request)
  expect(password).toMatch(/^[\w-]{43}$/)
  const dump = await database.sql`select to_jsonb(credentials)::text || to_jsonb(repositories)::text as text
    from credentials join repositories on repositories.id = repository_id`
  for (const { text } of dump) {
    expect(text).not.toContain(password)
    expect(text).not.toContain('canary-credential')
  }
  expect(JSON.stringify(await viewRepository(database.db, repositoryId))).not.toContain('canary')
  const config = await configurationOf(database.db, database.seal, {
    hostId,
    version: 2,
    maxConcurrentRuns: 1,
  })
  expect(config.repositories).toMatchObject([
    { repositoryId, password, username: 'web', credential: 'canary-credential' },
  ])
})

test('a repeated request makes nothing new and answers the same; another with its id is refused', async () => {
  const request = repositoryOf({ hostIds: [] })
  const first = await create(request)
  expect(await create(request)).toEqual(first)
  await expect(create({ ...request, name: 'something else' })).rejects.toMatchObject({
    code: 'request_reused',
  })
  await database.db
    .update(repositories)
    .set({ createdAt: new Date(0) })
    .where(eq(repositories.id, first.repositoryId))
  await expect(create(request)).rejects.toMatchObject({ code: 'request_reused' })
})

test('the same request many times at once makes one repository', async () => {
  const { hostId } = await enrolMachine(database.db)
  const request = repositoryOf({ hostIds: [hostId] })
  const answers = await Promise.all(Array.from({ length: 6 }, () => create(request)))
  expect(new Set(answers.map(answer => JSON.stringify(answer))).size).toBe(1)
})

test('two repositories cannot have one name', async () => {
  await create(repositoryOf({ hostIds: [], name: 'Vault' }))
  await expect(create(repositoryOf({ hostIds: [], name: 'Vault' }))).rejects.toMatchObject({
    code: 'name_taken',
  })
  const { repositoryId } = await create(repositoryOf({ hostIds: [], name: 'Attic' }))
  const edit = { ...(await editOf(repositoryId)), name: 'Vault' }
  await expect(updateRepository(database.db, database.seal, edit)).rejects.toMatchObject({
    code: 'name_taken',
  })
})

test('of two repositories that are renamed alike at once one is refused with a sentence', async () => {
  const edits = []
  for (const name of ['Cellar', 'Loft']) {
    const { repositoryId } = await create(repositoryOf({ hostIds: [], name }))
    edits.push({ ...(await editOf(repositoryId)), name: 'Shed' })
  }
  const outcomes = await Promise.allSettled(
    edits.map(edit => updateRepository(database.db, database.seal, edit)),
  )
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { code: 'name_taken' },
  })
})

test('a host that does not exist cannot be given access, and then nothing is made', async () => {
  const request = repositoryOf({ hostIds: [newId()] })
  await expect(create(request)).rejects.toMatchObject({ code: 'host_not_found' })
  expect((await listRepositories(database.db, wholeFleet)).map(each => each.name)).not.toContain(request.name)
})

test('the version of every host that is touched rises, and of no other', async () => {
  const [a, b, c] = [
    await enrolMachine(database.db),
    await enrolMachine(database.db),
    await enrolMachine(database.db),
  ]
  const versions = () => Promise.all([a, b, c].map(each => versionOf(each.hostId)))
  const { repositoryId } = await create(repositoryOf({ hostIds: [a.hostId, b.hostId] }))
  expect(await versions()).toEqual([2, 2, 1])
  await updateRepository(database.db, database.seal, {
    ...(await editOf(repositoryId)),
    hostIds: [b.hostId, c.hostId],
  })
  expect(await versions()).toEqual([3, 3, 2])
  expect((await viewRepository(database.db, repositoryId)).hosts.map(each => each.id).toSorted()).toEqual(
    [b.hostId, c.hostId].toSorted(),
  )
  await removeRepository(database.db, {
    repositoryId,
    confirmName: (await viewRepository(database.db, repositoryId)).name,
  })
  expect(await versions()).toEqual([3, 4, 3])
})

test('of two edits of one version the second is refused, naming both versions', async () => {
  const { repositoryId } = await create(repositoryOf({ hostIds: [] }))
  const edit = await editOf(repositoryId)
  const outcomes = await Promise.allSettled([
    updateRepository(database.db, database.seal, { ...edit, mayDelete: false }),
    updateRepository(database.db, database.seal, { ...edit, mayDelete: true }),
  ])
  expect(outcomes.filter(outcome => outcome.status === 'fulfilled')).toHaveLength(1)
  const refused = outcomes.find(outcome => outcome.status === 'rejected')
  expect(refused?.reason).toMatchObject({
    code: 'version_stale',
    message: expect.stringMatching(/version 1 .* version 2/),
  })
})

test('many edits that meet on the same hosts all come through', async () => {
  const machines = await Promise.all(Array.from({ length: 4 }, () => enrolMachine(database.db)))
  const hostIds = machines.map(machine => machine.hostId)
  const shuffled = (by: number) => [...hostIds.slice(by % 4), ...hostIds.slice(0, by % 4)]
  await Promise.all(Array.from({ length: 12 }, (_, at) => create(repositoryOf({ hostIds: shuffled(at) }))))
  for (const hostId of hostIds) expect(await versionOf(hostId)).toBe(13)
})

test('a secret left out of an edit stays; one the new backend does not take goes', async () => {
  const { hostId } = await enrolMachine(database.db)
  const { repositoryId, password } = await create({
    ...repositoryOf({ hostIds: [hostId], url: 'rest:https://backup.example.com/' }),
    username: 'web',
    credential: 'secret',
  })
  const configured = async () =>
    (await configurationOf(database.db, database.seal, { hostId, version: 1, maxConcurrentRuns: 1 }))
      .repositories[0]
  await updateRepository(database.db, database.seal, { ...(await editOf(repositoryId)), username: 'other' })
  expect(await configured()).toMatchObject({ password, username: 'other', credential: 'secret' })
  await updateRepository(database.db, database.seal, { ...(await editOf(repositoryId)), url: '/backup/here' })
  expect(await configured()).toMatchObject({ password, url: '/backup/here' })
  expect(await configured()).not.toHaveProperty('credential')
})

describe('removal', () => {
  test('asks for the name, and waits for open jobs', async () => {
    const host = await makeHost(database.db, database.seal)
    const { name } = await viewRepository(database.db, host.repositoryId)
    const remove = (confirmName: string) =>
      removeRepository(database.db, { repositoryId: host.repositoryId, confirmName })
    const { jobId } = await host.backUp()
    await expect(remove('wrong')).rejects.toMatchObject({ code: 'not_confirmed' })
    await expect(remove(name)).rejects.toMatchObject({ code: 'repository_in_use' })
    await database.db.update(jobs).set({ status: 'failed', reported: true }).where(eq(jobs.id, jobId))
    await remove(name)
    await expect(viewRepository(database.db, host.repositoryId)).rejects.toMatchObject({
      code: 'repository_not_found',
    })
    await expect(host.backUp()).rejects.toMatchObject({ code: 'repository_not_on_host' })
  })

  test('that races with a new job leaves no job without its repository', async () => {
    for (let round = 0; round < 10; round += 1) {
      const host = await makeHost(database.db, database.seal)
      const { name } = await viewRepository(database.db, host.repositoryId)
      const [ran, gone] = await Promise.allSettled([
        host.backUp(),
        removeRepository(database.db, { repositoryId: host.repositoryId, confirmName: name }),
      ])
      expect([ran.status, gone.status].toSorted()).toEqual(['fulfilled', 'rejected'])
    }
  })
})

test('unlock waits while the records show a live job, also under another name of the same repository', async () => {
  const host = await makeHost(database.db, database.seal)
  const { repositoryId: twin } = await create(repositoryOf({ hostIds: [host.hostId] }))
  const resticId = 'f'.repeat(64)
  await database.db.update(repositories).set({ resticId }).where(eq(repositories.id, host.repositoryId))
  await database.db.update(repositories).set({ resticId }).where(eq(repositories.id, twin))
  const unlock = () =>
    runJob(
      database.db,
      { requestId: newId(), hostId: host.hostId, repositoryId: twin, kind: 'unlock', spec: {} },
      asAnna,
    )
  const { jobId } = await host.backUp()
  const become = (status: 'running' | 'lost' | 'succeeded') =>
    database.db.update(jobs).set({ status }).where(eq(jobs.id, jobId))
  await become('running')
  await expect(unlock()).rejects.toMatchObject({ code: 'repository_busy' })
  await become('lost')
  await expect(unlock()).rejects.toMatchObject({ code: 'repository_busy' })
  await become('succeeded')
  await expect(unlock()).resolves.toMatchObject({ jobId: expect.any(String) })
})

describe('what hosts tell of a repository', () => {
  const locked = {
    lockState: 'locked' as const,
    locks: [{ hostname: 'web-1', pid: 7, createdAt: '2026-11-23T07:00:00.000Z', exclusive: true }],
  }

  test('is kept, newest wins, and what a report leaves out stays', async () => {
    const host = await makeHost(database.db, database.seal)
    const resticId = 'a'.repeat(64)
    const stats = {
      repositoryId: host.repositoryId,
      resticId,
      sizeBytes: 5_000_000_000,
      dedupRatio: 1.234,
      ...locked,
    }
    await keepStats(database.db, host.sender, stats)
    await keepStats(database.db, host.sender, { repositoryId: host.repositoryId, lockState: 'unlocked' })
    expect(await viewRepository(database.db, host.repositoryId)).toMatchObject({
      resticId,
      sizeBytes: 5_000_000_000,
      dedupRatio: 1.234,
      lockState: 'unlocked',
      locks: [],
    })
  })

  test('is dropped when the host has no access to it', async () => {
    const host = await makeHost(database.db, database.seal)
    const other = await makeHost(database.db, database.seal)
    await keepStats(database.db, other.sender, { repositoryId: host.repositoryId, ...locked })
    expect(await viewRepository(database.db, host.repositoryId)).toMatchObject({ lockState: null })
  })

  test('names its id once where several hosts share it', async () => {
    const host = await makeHost(database.db, database.seal)
    const { hostId } = await enrolMachine(database.db)
    const tell = (resticId: string) =>
      keepStats(database.db, host.sender, {
        repositoryId: host.repositoryId,
        resticId,
        lockState: 'unlocked',
      })
    await tell('a'.repeat(64))
    await updateRepository(database.db, database.seal, {
      ...(await editOf(host.repositoryId)),
      hostIds: [host.hostId, hostId],
    })
    await tell('b'.repeat(64))
    expect(await viewRepository(database.db, host.repositoryId)).toMatchObject({ resticId: 'a'.repeat(64) })
  })
})
