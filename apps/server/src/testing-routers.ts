// For tests only: the routers behind real HTTP requests and real contexts, without a socket in between.
import { callTRPCProcedure } from '@trpc/server'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { deserialize, serialize } from 'superjson'
import { newId } from '@restic-manager/contract/ids'
import { timing } from '@restic-manager/contract/timing'
import type { AgentContext, HostSession, OperatorContext, Principal } from './context.ts'
import { startBus } from './db/bus.ts'
import type { Db } from './db/open.ts'
import { operators, operatorSessions } from './db/schema-operators.ts'
import { isOutage } from './db/outage.ts'
import { createReadyCheck } from './db/ready.ts'
import { createLogIntake } from './fleet/log-intake.ts'
import { createPresence } from './fleet/presence.ts'
import { countTurnedAway } from './fleet/turned-away.ts'
import { operatorRouter } from './operator-api/router.ts'
import { testDatabase } from './testing.ts'
import { quiet } from './testing-fleet.ts'
import { version } from './version.ts'

/** Who calls: a stranger, somebody of a role who sees everything, or exactly this one. */
type Caller = Principal | Principal['role'] | undefined

/** Somebody who has just signed in. */
export async function signedIn(db: Db, role: Principal['role'], tags?: string[]): Promise<Principal> {
  const operator = { name: 'Anna', email: `${newId()}@example.com`, role }
  const [operatorId, sessionId] = [newId(), newId()]
  await db.insert(operators).values({ id: operatorId, ...operator, tags: tags ?? null })
  const expiresAt = new Date(Date.now() + 3_600_000)
  await db.insert(operatorSessions).values({ id: sessionId, userId: operatorId, token: newId(), expiresAt })
  return { operatorId, ...operator, tags, by: { kind: 'session', sessionId, provedAt: new Date() } }
}

/** Does something again until the database is there to do it; the test's own limit ends a wait for nothing. */
export async function insist<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (!isOutage(error)) throw error
    }
  }
}

/** A database with a bus, and contexts for both routers. `broken` takes away a table first. */
export async function routerParts({ broken = false } = {}) {
  const database = await testDatabase()
  const bus = await startBus(database.sql)
  const ready = createReadyCheck(database.url)
  const shared = { db: database.db, bus, seal: database.seal, log: quiet, timing }
  const { db } = database
  const known = {
    viewer: await signedIn(db, 'viewer'),
    operator: await signedIn(db, 'operator'),
    admin: await signedIn(db, 'admin'),
  }
  if (broken) await database.sql`drop table hosts cascade`
  const wire = (closed = new AbortController().signal) => ({
    ...{ closed, room: async () => {}, floor: async () => ({ [Symbol.dispose]() {} }) },
  })
  return {
    database,
    bus,
    operatorContext: (caller: Caller, closed?: AbortSignal): OperatorContext => ({
      ...shared,
      ...wire(closed),
      address: '127.0.0.1',
      principal: typeof caller === 'string' ? known[caller] : caller,
      publicUrl: 'http://127.0.0.1:8470',
      caPin: undefined,
      plainHttp: false,
      silences: ready.silences,
      turnedAway: countTurnedAway(quiet),
    }),
    agentContext: (host: HostSession, closed?: AbortSignal): AgentContext => ({
      ...shared,
      ...wire(closed),
      host,
      connection: { spoolEpoch: undefined },
      presence: createPresence(),
      logIntake: createLogIntake(),
      release: { version, packageUrl: 'https://packages.example.org' },
    }),
    async close() {
      await bus.close()
      await ready.close()
      await database.close()
    },
  }
}

/** The operator router as an HTTP client meets it. */
export async function operatorServer(options: { broken?: boolean } = {}) {
  const parts = await routerParts(options)
  return {
    ...parts,
    /** Calls a procedure over HTTP and answers what its error says; all undefined when there is none. */
    async call(caller: Caller, type: 'query' | 'mutation', path: string, input: unknown) {
      const body = JSON.stringify(serialize(input))
      const url = new URL(`http://server/trpc/${path}`)
      if (type === 'query') url.searchParams.set('input', body)
      const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
      const response = await fetchRequestHandler({
        endpoint: '/trpc',
        req: new Request(url, type === 'query' ? {} : post),
        router: operatorRouter,
        createContext: () => parts.operatorContext(caller),
      })
      const answer: unknown = await response.json()
      const error = deserialize((answer as { error?: never }).error ?? { json: {} }) as {
        message?: string
        data?: { code: string; refusal?: string; complaints?: unknown }
      }
      return {
        status: response.status,
        code: error.data?.code,
        refusal: error.data?.refusal,
        message: error.message,
        ...(error.data?.complaints === undefined ? {} : { complaints: error.data.complaints }),
        keys: Object.keys(error.data ?? {}).toSorted(),
        /** What was answered, as text; to be searched for what should not be in it. */
        said: JSON.stringify(answer),
      }
    },
    /** Starts a subscription as the WebSocket adapter does. */
    subscribe: (caller: Caller, path: string, input: unknown = {}) =>
      callTRPCProcedure({
        router: operatorRouter,
        path,
        type: 'subscription',
        getRawInput: async () => input,
        ctx: parts.operatorContext(caller),
        signal: new AbortController().signal,
        batchIndex: 0,
      }),
  }
}
export type OperatorServer = Awaited<ReturnType<typeof operatorServer>>
