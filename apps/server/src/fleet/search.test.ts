// Promises of the search: every word counts, beginnings come first, a job is found by its id, and nothing foreign is.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hosts } from '../db/schema.ts'
import { makeHost, type TestHost } from '../testing-fleet.ts'
import { routerParts } from '../testing-routers.ts'
import { hourly, planOn } from '../testing-schedules.ts'
import { findInFleet } from './search.ts'

let parts: Awaited<ReturnType<typeof routerParts>>
let mail: TestHost
let jobId: string
beforeAll(async () => {
  parts = await routerParts()
  const { db, seal } = parts.database
  await makeHost(db, seal, 'web-1')
  mail = await makeHost(db, seal, 'mail-100%-web')
  await db
    .update(hosts)
    .set({ tags: ['berlin'] })
    .where(eq(hosts.id, mail.hostId))
  await planOn(db, mail, hourly([mail.repositoryId], { name: 'Mailboxes' }))
  jobId = (await mail.backUp()).jobId
})
afterAll(() => parts.close())

const find = (text: string, scope?: string[]) => findInFleet(parts.database.db, scope, { text, limit: 5 })
const hostsFound = async (text: string, scope?: string[]) =>
  (await find(text, scope)).hosts.map(({ name }) => name)

test('names that begin with it come first, and every word has to fit, in any order and case', async () => {
  expect(await hostsFound('web')).toEqual(['web-1', 'mail-100%-web'])
  expect(await hostsFound('WEB Berlin')).toEqual(['mail-100%-web'])
  expect(await hostsFound('web tokyo')).toEqual([])
})

test('signs of a pattern are only signs', async () => {
  expect(await hostsFound('100%')).toEqual(['mail-100%-web'])
  expect(await hostsFound('%')).toEqual(['mail-100%-web'])
  expect(await hostsFound('_')).toEqual([])
  expect(await find('  ')).toEqual({ hosts: [], repositories: [], schedules: [], jobs: [] })
})

test('a schedule is found by its own name with that of its host', async () => {
  expect((await find('mailboxes 100')).schedules).toMatchObject([
    { name: 'Mailboxes', hostName: 'mail-100%-web', kind: 'backup', enabled: true },
  ])
})

test('a job is found by the beginning of its id, and by host, kind and status', async () => {
  for (const text of [
    jobId,
    jobId.slice(0, 13).toUpperCase(),
    'backup mail',
    'queued',
    'queued backup berlin',
  ])
    expect([text, (await find(text)).jobs.map(({ id }) => id)]).toEqual([text, [jobId]])
  for (const text of ['ffff', 'mail', 'failed', 'backup nowhere'])
    expect([text, (await find(text)).jobs]).toEqual([text, []])
})

test('who is limited to tags finds nothing of other hosts', async () => {
  expect(await hostsFound('web', ['berlin'])).toEqual(['mail-100%-web'])
  const found = await find('web', ['tokyo'])
  expect(found).toEqual({ hosts: [], repositories: [], schedules: [], jobs: [] })
  expect((await find(jobId, ['tokyo'])).jobs).toEqual([])
  expect((await find('backup', ['tokyo'])).jobs).toEqual([])
})
