// For tests only: a database of one's own, and a whole server, in this process or in one of its own.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createTRPCClient,
  createWSClient,
  httpBatchLink,
  splitLink,
  wsLink,
  type TRPCClient,
} from '@trpc/client'
import superjson from 'superjson'
import { WebSocket } from 'ws'
import { newId } from '@restic-manager/contract/ids'
import type { Timing } from '@restic-manager/contract/timing'
import type { Secret } from '@restic-manager/testkit/canaries'
import { keepSignedIn, type SignedIn } from '@restic-manager/testkit/signed-in'
import { createApiKey } from './auth/api-keys.ts'
import { openAuthSecret } from './auth/auth-secret.ts'
import { createOperator, hashOf } from './auth/operators.ts'
import { createSignIn } from './auth/sign-in.ts'
import type { Principal } from './context.ts'
import { readConfig } from './config.ts'
import type { Db } from './db/open.ts'
import { makeSeal } from './db/seal.ts'
import { loadSealingKey } from './db/sealing-keys.ts'
import { createEnrolment } from './fleet/enrolments.ts'
import type { SocketLimits } from './http/sockets.ts'
import type { OperatorRouter } from './operator-api/router.ts'
import { startServer as start } from './start.ts'
import { testDatabase } from './testing-database.ts'
import { keepLog, refuseSecretsIn } from './testing-log.ts'
import { spawnServer } from './testing-process.ts'

export { decideFire, decideOwnRun } from './fleet/fire-decision.ts'
export { auditTimeOf, fillAudit, hostIdIn } from './testing-audit.ts'
export { expiryStep, growLogs, growSnapshots, growthReads } from './testing-growth.ts'
export { openPlanReader } from './testing-plans.ts'
export { type BigFleet, listReads, oneRow, openBigFleet, overviewRead } from './testing-big-fleet.ts'
export { type LogStore, openLogStore } from './testing-log-store.ts'
export { openSnapshotStore } from './testing-snapshot-store.ts'
export { startEmbedded } from './db/embedded.ts'
export { testDatabase, type TestDatabase } from './testing-database.ts'
export { databaseUser, ownPostgres, type OwnPostgres } from './testing-own-postgres.ts'
export { connect as connectPostgres, openDatabase } from './db/open.ts'
export { notify, startBus } from './db/bus.ts'
export { ensureLogDay, turnLogDays } from './fleet/log-days.ts'
export { unlockStale } from './fleet/stale-locks.ts'

/** From here up the log of a server in this process is shown. All of it is kept, and searched for secrets at the end. */
const shownLevel = process.env['RM_TEST_LOG_LEVEL'] ?? 'error'

/** Of everybody who is given none: to make the hash of a password, or to check one, takes a tenth of a second of a processor. */
const usualPassword = randomBytes(12).toString('base64url')
let usualHash: Promise<string> | undefined

export type TestServerOptions = {
  /** Another server, whose database and sealing key this one shares. Stop this one first. */
  beside?: Pick<TestServer, 'databaseUrl' | 'db' | 'secretKeyFile'>
  /** Runs the real program, behind a proxy that keeps the address over kills and restarts. */
  process?: boolean
  timing?: Partial<Timing>
  socketLimits?: Partial<SocketLimits>
  /** More environment variables of the server, as an operator would set them. */
  env?: Record<string, string>
  /** A folder with a built page. */
  pageDir?: string
}

export type TestOperator = { operatorId: string; email: string; password: string; apiKey: string }

export type TestServer = AsyncDisposable & {
  url: string
  port: number
  /** The operators' client, of an admin who has just signed in. Subscriptions go over a WebSocket, with their key. */
  api: TRPCClient<OperatorRouter>
  apiKey: string
  databaseUrl: string
  secretKeyFile: string
  db: Db
  createOperator(wish?: {
    role?: Principal['role']
    email?: string
    password?: string
  }): Promise<TestOperator>
  /** A token for one machine. */
  createEnrolment(): Promise<string>
  statusOf(jobId: string): Promise<string>
  /** Cuts every WebSocket without a word. */
  dropSockets(): void
  /** How many subscriptions wait for changes; 0 for a server in a process of its own. */
  listeners(): number
  /** How much it turned away, by reason; empty for a server in a process of its own. */
  turnedAway(): Record<string, number>
  /** The process it runs in. */
  pid(): number | undefined
  /** What the program wrote to its log so far; empty for a server in this process. */
  log(): string
  /** What the program printed for its operator, the set-up link among it; empty for a server in this process. */
  printed(): string
  stop(): Promise<void>
  /** SIGKILL. Only with `process: true`. */
  kill(): Promise<void>
  /** Starts the program again at the same address. Only with `process: true`. */
  restart(): Promise<void>
}

/** A real server on a database of its own, or beside another one. Stop it with `await using`. */
export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  await using undo = new AsyncDisposableStack()
  const { beside } = options
  const database =
    beside === undefined ? undo.use(await testDatabase()) : { url: beside.databaseUrl, db: beside.db }
  const dataDir = await mkdtemp('/tmp/rm-test-server-')
  undo.defer(() => rm(dataDir, { recursive: true, force: true }))
  const secretKeyFile = beside?.secretKeyFile ?? join(dataDir, 'secret.key')
  const env: Record<string, string> = {
    HOST: '127.0.0.1',
    PORT: '0',
    DATABASE_URL: database.url,
    RM_DATA_DIR: dataDir,
    RM_SECRET_KEY_FILE: secretKeyFile,
    ...(options.process ? { RM_TIMING: JSON.stringify(options.timing ?? {}) } : {}),
    RM_PAGE_DIR: options.pageDir ?? join(dataDir, 'no-page'),
    RM_LOG_LEVEL: options.process ? 'trace' : shownLevel,
    // Tests ask again and again until something is true.
    RM_API_CALLS_PER_MINUTE: '9999999',
    ...options.env,
  }
  const running = options.process ? await spawnServer(env) : await startHere(env, options)
  const { db } = database
  const known: Secret[] = []
  undo.defer(() => refuseSecretsIn(running.written(), { db, secretKeyFile, known }))
  undo.defer(() => running.stop())

  const makeOperator: TestServer['createOperator'] = async ({ role = 'admin', email, password } = {}) => {
    const name = email ?? `${randomBytes(6).toString('hex')}@example.org`
    const secret = password ?? usualPassword
    const passwordHash = await (password === undefined ? (usualHash ??= hashOf(secret)) : hashOf(secret))
    const operatorId = await createOperator(db, { email: name, name, passwordHash, role })
    const apiKey = await createApiKey(db, { email: name, name: 'test' })
    known.push({ name: 'the password of an operator', value: secret }, { name: 'an API key', value: apiKey })
    return { operatorId, email: name, password: secret, apiKey }
  }
  const { apiKey, operatorId } = await makeOperator()
  const publicUrl = env['RM_PUBLIC_URL'] ?? running.url
  const session = keepSignedIn(() => beginSession({ db, secretKeyFile, publicUrl, operatorId }))
  const client = operatorClient(running.url, apiKey, session)
  undo.defer(client.close)
  const owned = undo.move()
  return {
    ...running,
    api: client.api,
    apiKey,
    databaseUrl: database.url,
    secretKeyFile,
    db,
    createOperator: makeOperator,
    async createEnrolment() {
      const wish = { requestId: newId(), lifeMinutes: 60, maxUses: 1, tags: [], createdBy: 'test' }
      return (await createEnrolment(db, wish)).token
    },
    statusOf: async jobId => (await client.api.jobs.get.query({ jobId })).status,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

type Beginning = { db: Db; secretKeyFile: string; publicUrl: string; operatorId: string }

/** Begins a session as the server does once it has seen a password, and answers the cookie. */
async function beginSession({ db, secretKeyFile, publicUrl, operatorId }: Beginning): Promise<string> {
  const seal = makeSeal(await loadSealingKey(secretKeyFile, { make: false }))
  const secret = (await openAuthSecret(db, seal)).reveal()
  const { headers } = await createSignIn({ db, secret, publicUrl }).api.beginSession({
    ...{ body: { operatorId, by: 'password' }, headers: new Headers(), returnHeaders: true },
  })
  return headers.getSetCookie()[0]?.split(';')[0] ?? ''
}

async function startHere(env: Record<string, string>, { timing, socketLimits = {} }: TestServerOptions) {
  const config = readConfig(env)
  const { log, text } = keepLog(config.logLevel)
  const server = await start(config, { log, timing: { ...config.timing, ...timing }, socketLimits })
  const onlyAsProcess = async () => {
    throw new Error('This needs a server with `process: true`.')
  }
  return {
    url: server.url,
    port: server.port,
    dropSockets: server.dropSockets,
    listeners: server.listeners,
    turnedAway: () => Object.fromEntries(server.turnedAway().map(({ reason, count }) => [reason, count])),
    pid: () => process.pid,
    log: () => '',
    written: text,
    printed: () => '',
    stop: server.stop,
    kill: onlyAsProcess,
    restart: onlyAsProcess,
  }
}

/**
 * A client as a tool would make it: calls over HTTP, subscriptions over one WebSocket, an API key with both. `session`: calls
 * go by this session instead, for what no key may do.
 */
export function operatorClient(url: string, apiKey: string, session?: SignedIn) {
  const headers = { authorization: `Bearer ${apiKey}` }
  class KeyedWebSocket extends WebSocket {
    constructor(address: string | URL) {
      super(address, { headers, perMessageDeflate: false })
      this.on('error', () => {})
    }
  }
  const socket = createWSClient({
    url: `${url.replace(/^http/, 'ws')}/trpc`,
    WebSocket: KeyedWebSocket as unknown as typeof globalThis.WebSocket,
    lazy: { enabled: true, closeMs: 1_000 },
    retryDelayMs: () => 200,
  })
  const api = createTRPCClient<OperatorRouter>({
    links: [
      splitLink({
        condition: op => op.type === 'subscription',
        true: wsLink({ client: socket, transformer: superjson }),
        false: httpBatchLink({
          url: `${url}/trpc`,
          headers: session ?? headers,
          transformer: superjson,
          maxItems: 32,
        }),
      }),
    ],
  })
  return { api, close: async () => void (await socket.close()) }
}
