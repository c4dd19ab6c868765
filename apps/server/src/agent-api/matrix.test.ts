// Every agent procedure × every id of another host, made from the router: not found, counted, and nothing of the other changed.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { agentMessages } from '@restic-manager/contract/testing-agent-messages'
import { jobMessages } from '@restic-manager/contract/testing-job-messages'
import { scheduleMessages } from '@restic-manager/contract/testing-schedule-messages'
import { helloOf } from '../testing-fleet.ts'
import { routerParts } from '../testing-routers.ts'
import { hoursAgo, planOn } from '../testing-schedules.ts'
import { makeWorld, tableHashes, type World } from '../testing-world.ts'
import { agentRouter } from './router.ts'

let parts: Awaited<ReturnType<typeof routerParts>>
let own: World
let foreign: World
beforeAll(async () => {
  parts = await routerParts()
  const { db, seal } = parts.database
  own = await makeWorld(db, seal, 'own')
  foreign = await makeWorld(db, seal, 'foreign')
})
afterAll(() => parts.close())

const procedures = Object.entries(
  agentRouter._def.procedures as unknown as Record<string, { _def: { inputs: z.ZodType[] } }>,
)
const samples = new Map(
  [...agentMessages, ...jobMessages, ...scheduleMessages].map(({ name, sample }) => [name, sample]),
)
/** Ids that are the host's own, always: another host has no business with them. */
const fenced = new Set(['jobId', 'scheduleId'])
/** Ids that hosts share, or that say nothing of whose they are: accepted or not, nothing of others changes. */
const open = new Set(['repositoryId', 'retryOf', 'repositoryIds', 'reportId', 'spoolEpoch'])

/** Every place of a message where an id stands, as a path of names. */
function placesOf(value: unknown, at: string[] = []): string[][] {
  if (typeof value === 'string') return value.startsWith('0192b7e4-') ? [at] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, each]) => placesOf(each, [...at, name]))
}
const nameOf = (place: string[]) => place.findLast(name => !/^\d+$/.test(name)) ?? ''

/** The message with the ids of its own host, but for one. */
function withForeign(
  value: unknown,
  place: string[],
  ids: (name: string) => string,
  at: string[] = [],
): unknown {
  if (typeof value === 'string' && value.startsWith('0192b7e4-')) {
    const name = nameOf(at)
    return at.join('.') === place.join('.') ? (foreign.ids[name] ?? foreign.host.hostId) : ids(name)
  }
  if (Array.isArray(value))
    return value.map((each, index) => withForeign(each, place, ids, [...at, `${index}`]))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, withForeign(each, place, ids, [...at, name])]),
  )
}

const cells = procedures.flatMap(([path, { _def }]) =>
  _def.inputs.length === 0
    ? []
    : placesOf(samples.get(path)).map(place => ({ path, place, field: nameOf(place) })),
)

test('there is an example of every message, and every id in them is known', () => {
  const takesInput = procedures.filter(([, { _def }]) => _def.inputs.length > 0).map(([path]) => path)
  expect(takesInput.filter(path => !samples.has(path))).toEqual([])
  expect(cells.filter(({ field }) => !fenced.has(field) && !open.has(field))).toEqual([])
  expect(new Set(cells.map(({ path }) => path)).size).toBeGreaterThan(8)
})

describe('a host that names', () => {
  test.each(cells)('$field of another host in $path', async ({ path, place, field }) => {
    const { db, sql } = parts.database
    const context = parts.agentContext(own.host.sender)
    const api = agentRouter.createCaller(context)
    await api.agent.hello(helloOf())
    const { jobId } = await own.host.backUp()
    const scheduleId = await planOn(db, own.host)
    const ids = (name: string) => ({ ...own.ids, jobId, scheduleId })[name] ?? crypto.randomUUID()
    const input = withForeign(samples.get(path), place, ids) as Record<string, unknown>
    // Of a job that is known here the schedule is known too; of one that is new to the server the header says it.
    if (field === 'scheduleId' && 'jobId' in input) input['jobId'] = crypto.randomUUID()
    if ('scheduledAt' in input) input['scheduledAt'] = hoursAgo(0)
    const count = async () =>
      Number((await sql`select foreign_id_count as n from hosts where id = ${own.host.hostId}`)[0]?.['n'])
    const before = { others: await tableHashes(sql, foreign), count: await count() }
    const [noun = '', verb = ''] = path.split('.')
    const call = (api as unknown as Record<string, Record<string, (input: unknown) => Promise<unknown>>>)[
      noun
    ]?.[verb]
    const answer = await call?.(input).then(
      () => 'ok',
      (error: { code?: string; message?: string }) => `${error.code}: ${error.message}`,
    )
    // The id of a slot's job is worked out from the slot, so that of another job is not even looked for.
    if (path === 'schedule.fire' && field === 'jobId')
      expect(answer).toMatch(/^BAD_REQUEST: .*not the id of this slot/)
    else if (fenced.has(field) && !place.includes('knownJobs') && !place.includes('rejected')) {
      expect(answer).toMatch(/^NOT_FOUND: /)
      expect(await count()).toBe(before.count + 1)
    } else expect(answer).toMatch(/^(ok|NOT_FOUND: |BAD_REQUEST: )/)
    expect(await tableHashes(sql, foreign)).toEqual(before.others)
  })
})
