// Puts the server together in order, and takes it apart in the opposite order.
import { mkdir } from 'node:fs/promises'
import { isNull } from 'drizzle-orm'
import { timing as standardTiming, type Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import { createApiKeys } from './auth/api-keys.ts'
import { openAuthSecret } from './auth/auth-secret.ts'
import { createGetPrincipal } from './auth/principal.ts'
import { createProvider } from './auth/provider.ts'
import { mintSetupSecret } from './auth/setup.ts'
import { createSignIn } from './auth/sign-in.ts'
import { measureNotifications } from './chores/notification-lag.ts'
import { repeat } from './chores/repeat.ts'
import { startChores } from './chores/start.ts'
import type { Config } from './config.ts'
import { prepareDatabase } from './database.ts'
import { startBus } from './db/bus.ts'
import { openDatabase } from './db/open.ts'
import { hosts } from './db/schema.ts'
import { createReadyCheck } from './db/ready.ts'
import { openSeal } from './db/open-seal.ts'
import { createTroubleLog } from './db/trouble-log.ts'
import { countFleet } from './fleet/fleet-counts.ts'
import { createLogIntake } from './fleet/log-intake.ts'
import { createPresence } from './fleet/presence.ts'
import { claimBearer } from './fleet/sessions.ts'
import { countTurnedAway, type TurnedAwayRow } from './fleet/turned-away.ts'
import { watchAgentSockets } from './http/agent-sockets.ts'
import { readAuthority } from './http/authority.ts'
import { describeError } from './http/error-log.ts'
import { warnOfOpenFiles } from './http/open-files.ts'
import { createHttpServer } from './http/server.ts'
import type { SocketLimits } from './http/sockets.ts'
import { travelsPlain } from './http/transport.ts'
import { version } from './version.ts'

export type RunningServer = {
  url: string
  port: number
  databaseUrl: string
  /** Where the first admin is made; undefined once there is an operator. */
  setupLink: string | undefined
  /** Cuts every WebSocket without a word, for tests. */
  dropSockets(): void
  /** How many subscriptions wait for changes, for tests. */
  listeners(): number
  /** What this server turned away since it started. */
  turnedAway(): TurnedAwayRow[]
  stop(): Promise<void>
}

export type StartOptions = { log: Log; timing?: Timing; socketLimits?: Partial<SocketLimits> }

const poolSize = 20
const flushMs = 30_000
/** How often the log says what was turned away. */
const sayMs = 60_000
const tellKeysMs = 30_000

/** Starts everything and resolves once requests are accepted. On failure what was started is stopped again. */
export async function startServer(config: Config, options: StartOptions): Promise<RunningServer> {
  const { log, timing = standardTiming, socketLimits = {} } = options
  await using undo = new AsyncDisposableStack()
  log.info({ version, dataDir: config.dataDir }, 'starting')
  warnOfPlainHttp(config, log)
  await mkdir(config.dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 })

  const database = await prepareDatabase(config, 'server', log)
  undo.defer(() => database.stop())
  log.info({ embedded: config.databaseUrl === undefined }, 'the database is ready')

  const { db, sql, load, close } = openDatabase(database.url, {
    max: poolSize,
    directUrl: database.directUrl,
    timing,
    onTrouble: createTroubleLog(log),
  })
  undo.defer(close)
  await warnOfOpenFiles(log, await db.$count(hosts, isNull(hosts.removedAt)))
  const { seal, tellKeys, forgetKeys } = await openSeal(db, config.secretKeys)
  undo.defer(forgetKeys)
  undo.defer(repeat('tell which sealing keys are known', tellKeysMs, log, tellKeys))
  const bus = await startBus(sql, { pollMs: timing.poll, log })
  undo.defer(() => bus.close())

  const origin = config.publicUrl ?? (config.tls ? 'https://localhost' : 'http://localhost')
  const secret = await openAuthSecret(db, seal)
  const signIn = createSignIn({ db, secret: secret.reveal(), publicUrl: origin })
  const apiKeys = createApiKeys(db)
  const flushKeys = () =>
    apiKeys
      .flush()
      .catch((error: unknown) => log.warn({ error: describeError(error) }, 'last uses of API keys wait'))
  const flushing = setInterval(flushKeys, flushMs).unref()
  undo.defer(async () => {
    clearInterval(flushing)
    await flushKeys()
  })

  const ready = createReadyCheck(database.url, bus.isDeaf)
  undo.defer(() => ready.close())
  const presence = createPresence()
  const shared = { db, bus, seal, log, timing }
  const stopChores = startChores({ ...shared, presence })
  undo.defer(stopChores)
  undo.defer(measureNotifications({ db, bus, log }))
  const agents = watchAgentSockets({ db, bus, log })
  undo.defer(() => agents.stop())

  const turnedAway = countTurnedAway(log)
  const saying = setInterval(() => turnedAway.say(), sayMs).unref()
  undo.defer(() => {
    clearInterval(saying)
    turnedAway.say()
  })

  let stopping = false
  const publicUrl = { is: config.publicUrl ?? '' }
  const authority = await readAuthority(config, log)
  const http = await createHttpServer({
    authority,
    config,
    signIn,
    provider: config.provider && createProvider(config.provider, { log }),
    origin,
    getPrincipal: createGetPrincipal({ db, signIn, apiKeys }),
    readiness: async () => (stopping ? 'stopping' : ready.ask()),
    claimBearer: bearer => claimBearer(db, bearer),
    agents,
    turnedAway,
    agent: {
      ...shared,
      presence,
      logIntake: createLogIntake(),
      get release() {
        return { version, packageUrl: config.agentPackageUrl ?? publicUrl.is }
      },
    },
    operator: {
      ...shared,
      silences: ready.silences,
      caPin: authority?.pin,
      get publicUrl() {
        return publicUrl.is
      },
      get plainHttp() {
        return publicUrl.is !== '' && travelsPlain(publicUrl.is)
      },
    },
    join: { db, log, timing },
    standing: {
      subscriptions: bus.listeners,
      database: load,
      countFleet: () => countFleet(db),
    },
    timing,
    log,
    limits: socketLimits,
  })
  undo.defer(() => http.stop())
  const { url, port } = await http.listen()
  publicUrl.is ||= url

  const setupSecret = await mintSetupSecret(db)
  const running = undo.move()
  return {
    url,
    port,
    databaseUrl: database.url,
    setupLink: setupSecret && `${config.publicUrl ?? visitable(url)}/setup#${setupSecret}`,
    dropSockets: () => http.sockets.drop(),
    listeners: () => bus.listeners(),
    turnedAway: () => turnedAway.rows(),
    async stop() {
      if (stopping) return
      stopping = true
      log.info('stopping')
      await running.disposeAsync()
      log.info('stopped')
    },
  }
}

/** Says at the start what would otherwise only show as agents that are turned away, or as nothing at all. */
function warnOfPlainHttp({ allowPlainHttp, tls, publicUrl, host }: Config, log: Log) {
  const isLocal = /^(?:127\.|::1$|localhost$)/.test(host)
  if (allowPlainHttp)
    log.warn('RM_ALLOW_PLAIN_HTTP is set: what agents send without TLS can be read on the way')
  else if (!isLocal && tls === undefined && publicUrl?.startsWith('https:') !== true)
    log.warn(
      'there is no TLS, so agents of other machines are turned away: put a proxy with TLS in front, set RM_TLS_CERT_FILE and RM_TLS_KEY_FILE, or set RM_ALLOW_PLAIN_HTTP=yes',
    )
}

/** An address to open in a browser: nobody visits 0.0.0.0. */
const visitable = (url: string) => url.replace(/\/\/(?:0\.0\.0\.0|\[::\])(?=:)/, '//localhost')
