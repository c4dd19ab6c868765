// For tests only: random and nearly valid inputs at the real routers on a real database. Known answers only, and no row of others changed.
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { TRPCError } from '@trpc/server'
import { eq } from 'drizzle-orm'
import fc from 'fast-check'
import type { z } from 'zod'
import { newId } from '@restic-manager/contract/ids'
import { Refusal } from '@restic-manager/contract/refusal'
import { agentMessages } from '@restic-manager/contract/testing-agent-messages'
import { jobMessages } from '@restic-manager/contract/testing-job-messages'
import { scheduleMessages } from '@restic-manager/contract/testing-schedule-messages'
import { timing } from '@restic-manager/contract/timing'
import { agentRouter } from './agent-api/router.ts'
import { hostRepositories, hosts } from './db/schema.ts'
import { createArrivals } from './fleet/arrivals.ts'
import { ForeignId } from './fleet/facts.ts'
import { joinRouter } from './join-api/router.ts'
import { operatorRouter } from './operator-api/router.ts'
import { arbitraryOf, mutationsOf } from './testing-arbitraries.ts'
import { helloOf, quiet } from './testing-fleet.ts'
import { routerParts, signedIn } from './testing-routers.ts'
import { hoursAgo, planOn } from './testing-schedules.ts'
import { makeWorld, tableHashes, type World } from './testing-world.ts'

/** `answers`: how often each procedure was answered how. `faults`: what must not be, each with the input that did it. */
export type FuzzResult = {
  seed: number
  cases: number
  ok: number
  refused: Record<string, number>
  internal: number
  hung: number
  changed: number
  answers: Record<string, Record<string, number>>
  faults: string[]
}

/** `only`: procedures whose name begins so. */
export type FuzzWish = { seed: number; cases: number; only?: string; onBatch?: (done: number) => void }

type Procedures = Record<string, { _def: { type: string; inputs: z.ZodType[] } }>
type Caller = (path: string, input: unknown) => Promise<unknown>

/** Cases between two looks at the rows of others. Each batch speaks from a new spool, about new jobs. */
const batchSize = 250
const atOnce = 4
const hangMs = 60_000
const mostFaults = 20
/** The hash of a table that is not there yet: logs get one for each day. */
const noRows = createHash('md5').digest('hex')

const samples = new Map(
  [...agentMessages, ...jobMessages, ...scheduleMessages].map(({ name, sample }) => [name, sample]),
)

/** A slot of the plan that each batch begins with. */
const dueNow = {
  ...(samples.get('schedule.fire') as object),
  ...{ scheduledAt: hoursAgo(0), decidedBy: 'server', jobs: [] },
}

const proceduresOf = (router: { _def: { procedures: unknown } }) =>
  Object.entries(router._def.procedures as Procedures).filter(
    ([, { _def }]) => _def.inputs.length > 0 && _def.type !== 'subscription',
  )

/** Throws so many inputs at agent, join and operator procedures in turn. The same seed gives the same inputs but for ids and times. */
export async function runFuzz({ seed, cases, only = '', onBatch }: FuzzWish): Promise<FuzzResult> {
  const parts = await routerParts()
  try {
    const { db, seal, sql } = parts.database
    const own = await makeWorld(db, seal, 'own')
    // Whom the operator's draws may do anything to, so that the agent's own host stays.
    const ruled = await makeWorld(db, seal, 'ruled')
    const foreign = await makeWorld(db, seal, 'foreign')
    const result: FuzzResult = {
      ...{ seed, cases: 0, ok: 0, refused: {}, internal: 0, hung: 0, changed: 0 },
      ...{ answers: {}, faults: [] },
    }
    const turns = targetsOf().filter(({ path }) => path.startsWith(only))
    if (turns.length === 0) throw new Error(`no procedure begins with "${only}"`)
    const others = async () => {
      // Anybody may ask for a challenge.
      const { session_challenges: _, ...hashes } = await tableHashes(sql, foreign)
      return hashes
    }
    let before = await others()
    for (let batch = 0; result.cases < cases; batch += 1) {
      const size = Math.min(batchSize, cases - result.cases)
      const ids = {
        agent: await freshIds(parts, own, foreign),
        join: await freshIds(parts, own, foreign),
        operator: await freshIds(parts, ruled, foreign),
      }
      const callers = {
        agent: await speakAs(parts, own),
        join: joinAs(parts),
        operator: await operateAs(parts, ruled),
      }
      const drawn = Array.from({ length: size }, (_, at) => {
        const target = turns[(batch * batchSize + at) % turns.length] as Target
        return { target, input: drawInput(target, ids[target.side], seed + batch * batchSize + at) }
      })
      for (const side of ['agent', 'join', 'operator'] as const) {
        const mine = drawn.filter(({ target }) => target.side === side)
        await inLanes(mine, async ({ target, input }) => {
          noteAnswer(result, target.path, input, await answerTo(() => callers[side](target.path, input)))
        })
        const after = await others()
        for (const table of Object.keys(after))
          if ((before[table] ?? noRows) !== after[table]) {
            result.changed += 1
            noteFault(result, `the ${side} changed rows of others in ${table}, before case ${result.cases}`)
          }
        before = after
      }
      onBatch?.(result.cases)
    }
    return result
  } finally {
    await parts.close()
  }
}

type Parts = Awaited<ReturnType<typeof routerParts>>
type Target = {
  side: 'agent' | 'join' | 'operator'
  path: string
  draw: (ids: Ids) => fc.Arbitrary<unknown>
  isValid: (input: unknown) => boolean
}
type Ids = (name: string) => string[]

/** Two agent procedures to one of each other kind, by turns. */
function targetsOf(): Target[] {
  const of = (side: Target['side'], router: { _def: { procedures: unknown } }): Target[] =>
    proceduresOf(router).map(([path, { _def }]) => ({
      side,
      path,
      isValid: input => _def.inputs[0]?.safeParse(input).success === true,
      draw: ids => {
        const schema = _def.inputs[0] as z.ZodType
        const fromSchema = arbitraryOf(schema, '', ids)
        const sample = samples.get(path)
        if (sample === undefined) return fc.oneof(fromSchema, fromSchema.chain(mutationsOf))
        const valid = withIds(path === 'schedule.fire' ? dueNow : sample, ids)
        return fc.oneof(fromSchema, mutationsOf(valid), mutationsOf(valid), fc.constant(valid))
      },
    }))
  const agent = of('agent', agentRouter)
  const rest = [...of('join', joinRouter), ...of('operator', operatorRouter)]
  return rest.flatMap((other, at) =>
    [other, agent[(2 * at) % agent.length], agent[(2 * at + 1) % agent.length]].filter(
      each => each !== undefined,
    ),
  )
}

/** As it comes off the wire: what JSON cannot say is gone, and a `__proto__` is a name like any other. */
function drawInput({ path, draw, isValid }: Target, ids: Ids, seed: number): unknown {
  const tries = fc.sample(draw(ids), { numRuns: seed % 3 === 0 ? 1 : 12, seed }).map(asOnWire)
  // Two in three get past the schema, where one can be drawn that does.
  const input = tries.find(isValid) ?? tries[0]
  // Most facts are newer than the last, or all after a huge one would be old news.
  const isFact = typeof input === 'object' && input !== null && 'seq' in input && 'lane' in input
  if (isFact && seed % 5 !== 0 && path !== 'agent.hello') input.seq = ++seq
  return input
}
let seq = 0
const asOnWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value) ?? 'null')

function withIds(value: unknown, ids: Ids, name = ''): unknown {
  if (typeof value === 'string' && value.startsWith('0192b7e4-')) return ids(name)[0]
  if (Array.isArray(value)) return value.map(each => withIds(each, ids, name))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withIds(each, ids, key)]))
}

/** Ids by field, one's own first. New jobs and a new schedule each time: what has ended hears no more. */
async function freshIds({ database: { db } }: Parts, own: World, foreign: World): Promise<Ids> {
  // Any hello may have told a policy that forbids them, and a host whose name was drawn twice is removed by it.
  const { hostId, repositoryId } = own.host
  await db
    .update(hosts)
    .set({ policy: null, removedAt: null, quarantinedAt: null, name: `host-${own.tag}` })
    .where(eq(hosts.id, hostId))
  await db.insert(hostRepositories).values({ hostId, repositoryId }).onConflictDoNothing()
  const jobs = await Promise.all([own.host.backUp(), own.host.backUp()])
  const scheduleId = await planOn(db, own.host)
  const more: Record<string, string[]> = {
    jobId: jobs.map(({ jobId }) => jobId),
    ...Object.fromEntries(['scheduleId', 'scheduleIds', 'forgets'].map(name => [name, [scheduleId]])),
  }
  return name => [
    ...(more[name] ?? []),
    ...[own.ids[name], foreign.ids[name]].filter(each => each !== undefined),
    newId(),
  ]
}

/** A connection of its own, past hello. */
async function speakAs(parts: Parts, { host }: World): Promise<Caller> {
  const context = parts.agentContext(host.sender)
  const api = agentRouter.createCaller(context)
  await api.agent.hello(helloOf())
  const { spoolEpoch } = context.connection
  return async (path, input) => {
    const answer = await callAt(api, path, input)
    // A hello may name another spool; the batch goes on with its own.
    context.connection.spoolEpoch = spoolEpoch
    return answer
  }
}

function joinAs({ database: { db } }: Parts): Caller {
  const arrivals = createArrivals({ most: 100_000, placeMs: 1 })
  const api = joinRouter.createCaller({ db, log: quiet, timing, address: '192.0.2.7', arrivals })
  return (path, input) => callAt(api, path, input)
}

async function operateAs(parts: Parts, own: World): Promise<Caller> {
  // Limited by tags: whatever is drawn, the other side has to stay as it is.
  const principal = await signedIn(parts.database.db, 'admin', [own.tag])
  const api = operatorRouter.createCaller(parts.operatorContext(principal))
  return (path, input) => callAt(api, path, input)
}

function callAt(api: unknown, path: string, input: unknown): Promise<unknown> {
  let at = api as Record<string, unknown>
  for (const name of path.split('.')) at = at[name] as Record<string, unknown>
  return (at as unknown as (input: unknown) => Promise<unknown>)(input)
}

/** `ok`, the reason of a refusal, `hung`, or what no caller should ever see. */
async function answerTo(call: () => Promise<unknown>): Promise<{ as: string; error?: unknown }> {
  const giveUp = new AbortController()
  try {
    const hung = sleep(hangMs, 'hung', { signal: giveUp.signal, ref: false })
    hung.catch(() => {})
    return { as: (await Promise.race([call().then(() => 'ok'), hung])) as string }
  } catch (error) {
    const cause = error instanceof TRPCError ? error.cause : error
    if (cause instanceof ForeignId) return { as: 'foreign_id' }
    if (cause instanceof Refusal) return { as: cause.code }
    if (error instanceof TRPCError && error.code === 'BAD_REQUEST') return { as: 'bad_input' }
    return { as: 'internal', error }
  } finally {
    giveUp.abort()
  }
}

function noteAnswer(
  result: FuzzResult,
  path: string,
  input: unknown,
  { as, error }: { as: string; error?: unknown },
) {
  result.cases += 1
  const counts = (result.answers[path] ??= {})
  counts[as] = (counts[as] ?? 0) + 1
  if (as === 'ok') result.ok += 1
  else if (as === 'internal' || as === 'hung') {
    result[as] += 1
    const why = error instanceof Error ? `${error.message} ${String(error.cause ?? '')}`.slice(0, 600) : as
    noteFault(result, `${path}: ${why}\n  with ${JSON.stringify(input).slice(0, 1_500)}`)
  } else result.refused[as] = (result.refused[as] ?? 0) + 1
}

function noteFault(result: FuzzResult, fault: string) {
  if (result.faults.length < mostFaults) result.faults.push(fault)
}

async function inLanes<T>(items: T[], act: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const lane = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await act(item)
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}
