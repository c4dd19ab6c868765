// Role × procedure × what is not one's own, made from the routers: refused as if it were not there, and nothing changed.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { newId } from '@restic-manager/contract/ids'
import { type Role, roleRanks } from '@restic-manager/contract/role'
import type { Principal } from '../context.ts'
import { notify } from '../db/bus.ts'
import { fillSlots, type IdSlot, inputsOf, slotsIn } from '../testing-inputs.ts'
import { type OperatorServer, operatorServer } from '../testing-routers.ts'
import { addUpkeep, makeWorld, tableHashes, type World } from '../testing-world.ts'
import { operatorRouter } from './router.ts'
import type { AnyRule } from './rules.ts'

type Procedure = {
  _def: {
    type: 'query' | 'mutation' | 'subscription'
    inputs: z.ZodType[]
    meta?: { role: Role; rule: AnyRule }
  }
}
const procedures = operatorRouter._def.procedures as unknown as Record<string, Procedure>

/** What a field is like that is no id. A new input whose fields are not here fails by the name of its procedure. */
const words = {
  ...{ name: 'x', confirmName: 'x', url: '/backup/x', cron: '0 * * * *', timeZone: 'UTC', label: 'x' },
  ...{
    tags: ['own'],
    tag: 'own',
    email: 'new@example.org',
    password: 'long enough 12',
    code: '123456',
    ticket: 'x',
  },
  ...{ scopes: ['jobs:read'], response: {}, retention: { daily: 7 }, cursor: 'x', search: 'x', text: 'host' },
  ...{ paths: ['/srv'] },
}
/** Ids of one's account, which tags do not fence: another account's are nobody's business. */
const ofAccount = ['keyId', 'sessionId', 'passkeyId']
/** Ids of what only those who see every host deal with. */
const ofInstallation = ['operatorId', 'invitationId']
/** Made by the caller for each act. */
const ofCaller = new Set(['requestId'])

let server: OperatorServer
let own: World
let foreign: World
/** An own repository that the foreign host uses as well. */
let shared: string
/** What the foreign side has beside its host: who maintains a repository of it, and what that one does there. */
let upkeep: Record<string, string>
beforeAll(async () => {
  server = await operatorServer()
  const { db, seal, sql } = server.database
  own = await makeWorld(db, seal, 'own')
  foreign = await makeWorld(db, seal, 'foreign')
  upkeep = await addUpkeep(db, seal, foreign)
  await addUpkeep(db, seal, own)
  shared = (await makeWorld(db, seal, 'own')).ids['repositoryId'] ?? ''
  await sql`insert into host_repositories (host_id, repository_id) values (${foreign.host.hostId}, ${shared})`
})
afterAll(() => server.close())

const fields = (rule: AnyRule) => (typeof rule.of === 'string' ? [] : Object.keys(rule.of))

/** Every kind of input of a procedure, ids held open. */
function inputsFor(path: string): unknown[] {
  const [input] = procedures[path]?._def.inputs ?? []
  const rule = procedures[path]?._def.meta?.rule
  if (input === undefined || rule === undefined) return [undefined]
  return inputsOf(input, { words, ids: ['snapshotId'], with: fields(rule) })
}

type Filling = { said: string; input: unknown; unknown: unknown; isForeign: boolean }

/** All that is foreign, and each foreign thing among what is one's own. `unknown`: the same with ids that nobody has. */
function fillings(input: unknown): Filling[] {
  const slots = slotsIn(input).filter(slot => !ofCaller.has(slot.name))
  const idOf = (ids: World['ids'], slot: IdSlot) => {
    if (ofCaller.has(slot.name)) return newId()
    const id = ids[slot.name]
    if (id === undefined) throw new Error(`nobody has said whose id "${slot.name}" is: see makeWorld`)
    return id
  }
  const nobodys = (slot: IdSlot) => (slot.name === 'snapshotId' ? 'ab'.repeat(32) : newId())
  const choose = (said: string, isForeign: (slot: IdSlot) => boolean, theirs = foreign.ids): Filling => ({
    said,
    input: fillSlots(input, slot => idOf(isForeign(slot) ? theirs : own.ids, slot)),
    unknown: fillSlots(input, slot => (isForeign(slot) ? nobodys(slot) : idOf(own.ids, slot))),
    isForeign: slots.some(isForeign),
  })
  const all = [choose('all', () => true), choose('all of upkeep', () => true, upkeep)]
  return slots.length < 2 ? all : [...all, ...slots.map(one => choose(one.name, slot => slot === one))]
}

/** Where one of one's own tags is asked for: the tag of somebody else. */
function foreignTags(path: string): Filling[] {
  const of = procedures[path]?._def.meta?.rule.of
  const named = Object.entries(typeof of === 'object' ? of : {}).find(([, kind]) => kind === 'own tags')
  if (named === undefined) return []
  const [field] = named
  return inputsFor(path).map(each => {
    const input = { ...(fillSlots(each, () => newId()) as object), [field]: [foreign.tag] }
    return { said: field, input, unknown: { ...input, [field]: ['nobodys'] }, isForeign: true }
  })
}

const limited = (role: Role, by: Principal['by'] = own.principal.by): Principal => ({
  ...own.principal,
  role,
  by,
})
const key = (...scopes: string[]): Principal['by'] => ({ kind: 'key', keyId: newId(), name: 'k', scopes })
const scopeOf = (path: string) =>
  `${path.split('.')[0]}:${procedures[path]?._def.type === 'mutation' ? 'write' : 'read'}`

/** What the caller is told: the code and sentence of a refusal, or what was answered. */
async function ask(caller: Principal, path: string, input: unknown) {
  const type = procedures[path]?._def.type ?? 'query'
  if (type !== 'subscription') {
    const { refusal, message, said, status } = await server.call(caller, type, path, input)
    return { refusal, message, said, status }
  }
  try {
    const stream = (await server.subscribe(caller, path, input)) as AsyncIterable<unknown>
    const first = await stream[Symbol.asyncIterator]().next()
    return { refusal: undefined, message: undefined, said: JSON.stringify(first), status: 200 }
  } catch (error) {
    const { code, message } = (error as { cause?: { code?: string; message?: string } }).cause ?? {}
    return { refusal: code ?? 'bug', message, said: '', status: 400 }
  }
}

const notThere = /^(\w+_not_found|not_allowed|schedule_invalid|repository_not_on_host)$/
const paths = Object.keys(procedures)
const roles = ['viewer', 'operator', 'admin'] as const

test('every procedure has a rule, and an input can be made for each', () => {
  const faults = paths.flatMap(path => {
    const { meta, inputs } = procedures[path]?._def ?? { inputs: [] }
    if (meta === undefined) return [`${path} has no rule`]
    try {
      const made = inputsFor(path).flatMap(input => fillings(input))
      return made.flatMap(({ input }) => {
        const parsed = inputs[0]?.safeParse(input)
        return parsed === undefined || parsed.success ? [] : [`${path}: ${z.prettifyError(parsed.error)}`]
      })
    } catch (error) {
      return [`${path}: ${error instanceof Error ? error.message : ''}`]
    }
  })
  expect(faults).toEqual([])
})

test('only the three base procedures exist: each procedure carries the checks that they begin with', () => {
  const base = (path: string) =>
    (procedures[path]?._def as unknown as { middlewares: unknown[] } | undefined)?.middlewares.length ?? 0
  // One for errors, one for who it is, then the input if there is one, then the rule.
  const faults = paths.filter(path => base(path) < ((procedures[path]?._def.inputs.length ?? 0) > 0 ? 4 : 3))
  expect(faults).toEqual([])
})

describe('who is limited to some tags', () => {
  test.each(paths)('%s', async path => {
    const { meta } = procedures[path]?._def ?? {}
    if (meta === undefined) throw new Error('no rule')
    const { role: needed, rule } = meta
    const { sql } = server.database
    const before = await tableHashes(sql)
    const inputs = [...inputsFor(path).flatMap(input => fillings(input)), ...foreignTags(path)]
    for (const role of roles) {
      const isTooLow = roleRanks[role] < roleRanks[needed]
      for (const { said, input, unknown, isForeign } of isTooLow ? inputs.slice(0, 1) : inputs) {
        const where = `${path} by ${role}, foreign: ${said}`
        const strange = await ask(limited(role, key('nothing:read')), path, input)
        expect(strange.refusal, `${where}, with a key for something else`).toBe('not_allowed')
        for (const by of [own.principal.by, key(scopeOf(path))]) {
          const caller = limited(role, by)
          if (rule.of === 'fleet' && procedures[path]?._def.type === 'subscription') continue
          // What is refused or done to one's own is shown elsewhere.
          if (!isForeign && !isTooLow && typeof rule.of !== 'string') continue
          if (rule.of === 'self' && !isTooLow) continue
          if (isTooLow || rule.of === 'installation') {
            expect((await ask(caller, path, input)).refusal, where).toBe('not_allowed')
            continue
          }
          const answer = await ask(caller, path, input)
          if (rule.of === 'fleet') {
            expect(answer.refusal, where).toBeUndefined()
            continue
          }
          expect(answer.refusal, `${where}: ${answer.message}`).toMatch(notThere)
          // Nobody learns from a refusal what there is.
          const { refusal, message } = await ask(caller, path, unknown)
          expect({ refusal, message }, where).toEqual({ refusal: answer.refusal, message: answer.message })
        }
      }
    }
    expect(await tableHashes(sql), `${path} changed something`).toEqual(before)
  })
})

describe('what is answered holds nothing foreign', () => {
  const reads = paths.filter(path => procedures[path]?._def.type === 'query')
  const hidden = () =>
    ['hostId', 'repositoryId', 'scheduleId', 'jobId', 'snapshotId', 'enrolmentId', 'alertId'].flatMap(
      name => [foreign.ids[name] ?? '', upkeep[name] ?? ''],
    )
  test.each(reads)('%s', async path => {
    const rule = procedures[path]?._def.meta?.rule
    for (const input of inputsFor(path)) {
      const named = fillSlots(input, slot => own.ids[slot.name] ?? newId())
      const common = fillSlots(input, slot =>
        slot.name === 'repositoryId' ? shared : (own.ids[slot.name] ?? newId()),
      )
      for (const each of [undefined, {}, named, common]) {
        const { said, refusal } = await ask(limited('admin'), path, each)
        for (const id of [...hidden(), 'host-foreign', 'keeper-foreign']) expect(said).not.toContain(id)
        // The control: what is one's own is answered, so the refusals above are not for a broken input.
        if (each === named && rule?.of !== 'installation') expect([path, refusal]).toEqual([path, undefined])
      }
    }
  })

  test('a subscription to the whole fleet hears of own things alone', async () => {
    const bus = server.bus
    const { db } = server.database
    const stream = (await server.subscribe(limited('viewer'), 'live.changes')) as AsyncIterable<unknown>
    const heard: unknown[] = []
    const hearing = (async () => {
      for await (const change of stream) {
        heard.push(change)
        if (JSON.stringify(change).includes(own.host.hostId)) return
      }
    })()
    while (bus.listeners() === 0) await new Promise(setImmediate)
    await notify(db, 'host', foreign.host.hostId)
    await notify(db, 'job', foreign.ids['jobId'] ?? '')
    await notify(db, 'host', own.host.hostId)
    await hearing
    expect(JSON.stringify(heard)).not.toContain(foreign.host.hostId)
    expect(JSON.stringify(heard)).not.toContain(foreign.ids['jobId'])
  })
})

describe('one who sees every host, and another account', () => {
  const personal = paths.filter(path =>
    (procedures[path]?._def.inputs ?? []).some(schema =>
      ofAccount.some(name => Object.hasOwn((schema as { shape?: object }).shape ?? {}, name)),
    ),
  )
  test.each(personal)('%s with an id of somebody else changes nothing', async path => {
    const { sql } = server.database
    const before = await tableHashes(sql)
    for (const role of roles) {
      const caller = { ...limited(role), tags: undefined }
      for (const { input } of inputsFor(path).flatMap(each => fillings(each)))
        expect((await ask(caller, path, input)).refusal ?? 'nothing_not_found', `${path} by ${role}`).toMatch(
          /^(\w+_not_found|not_allowed)$/,
        )
    }
    expect(await tableHashes(sql)).toEqual(before)
  })

  test.each(paths.filter(path => procedures[path]?._def.meta?.role !== 'viewer'))(
    '%s is refused below its role, whatever it names',
    async path => {
      const { sql } = server.database
      const before = await tableHashes(sql)
      const needed = procedures[path]?._def.meta?.role ?? 'admin'
      for (const role of roles.filter(each => roleRanks[each] < roleRanks[needed]))
        for (const { input } of inputsFor(path).flatMap(each => fillings(each)))
          for (const by of [own.principal.by, key('*')]) {
            const { refusal } = await ask({ ...limited(role, by), tags: undefined }, path, input)
            expect(refusal, `${path} by ${role}`).toBe('not_allowed')
          }
      expect(await tableHashes(sql)).toEqual(before)
    },
  )
})

test('a procedure without a rule, and one whose input cannot be made, would be found', () => {
  const strange = z.object({ hostId: z.uuid(), whim: z.string() })
  expect(() => inputsOf(strange, { words: {} })).toThrow('whim')
  expect(() => fillings(inputsOf(z.object({ strangeId: z.uuid() }), { words: {} })[0])).toThrow('strangeId')
  expect(ofInstallation.every(name => own.ids[name] !== undefined)).toBe(true)
})
