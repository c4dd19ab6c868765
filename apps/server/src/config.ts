// The server's settings: from the environment, checked before anything starts.
import { BlockList, isIP } from 'node:net'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Timing, timing } from '@restic-manager/contract/timing'
import { z } from 'zod'
import { keyVariables, readKeys } from './config-keys.ts'
import { type ProviderSettings, providerVariables, readProvider } from './config-provider.ts'
import { readTls, type TlsSettings, tlsVariables } from './config-tls.ts'
import { readDatabaseUrl } from './db/address.ts'
import type { Keys } from './db/open-seal.ts'
import { BadSetting, type Variable } from './setting.ts'

/** The folder of this checkout, seen from the sources and from the bundle. */
const clone = fileURLToPath(new URL('../../../', import.meta.url))

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

export type Config = {
  host: string
  port: number
  /** Undefined: the embedded database in the data directory. */
  databaseUrl: string | undefined
  /** The same database without the pooler that `databaseUrl` leads through. Undefined: there is no pooler. */
  databaseDirectUrl: string | undefined
  dataDir: string
  secretKeys: Keys
  /** An origin without a slash at its end. Undefined: whatever address the server listens on. */
  publicUrl: string | undefined
  /** Undefined: the public address. */
  agentPackageUrl: string | undefined
  logLevel: (typeof logLevels)[number]
  /** Addresses whose X-Forwarded-* headers are believed. */
  trustedProxies: BlockList
  /** Agents of other machines may come without TLS. */
  allowPlainHttp: boolean
  /** Undefined: operators sign in here only. */
  provider: ProviderSettings | undefined
  /** Calls that one API key may make over HTTP, on each server. */
  apiCallsPerMinute: number
  /** Who may read `/metrics`. Neither: nobody. */
  metrics: { token: string | undefined; addresses: BlockList | undefined }
  /** Where the built page lies. */
  pageDir: string
  /** The periods to keep; the usual ones unless a test or somebody who knows why gave others. */
  timing: Timing
} & TlsSettings

const port = z
  .string()
  .regex(/^\d{1,5}$/)
  .transform(Number)
  .refine(value => value <= 65_535)
const path = z.string().min(1)
const host = z.string().regex(/^(?:\[?[0-9A-Fa-f:.]+\]?|[A-Za-z0-9.-]+)$/)

const variables = {
  PORT: {
    shape: port,
    accepted: 'a port number from 0 (any free one) to 65535',
    fallback: '8470',
    help: 'the port to listen on',
  },
  HOST: {
    shape: host,
    accepted: 'an IP address or a host name',
    fallback: '127.0.0.1',
    help: 'the address to listen on',
  },
  DATABASE_URL: {
    shape: z.string().refine(isDatabaseUrl),
    accepted: 'postgres://user:password@host:port/name',
    secret: 'address',
    help: 'a PostgreSQL 15 to 18, or several hosts of one, host1:port,host2:port: the one that takes changes is used; without it the server brings its own',
  },
  DATABASE_DIRECT_URL: {
    shape: z.string().refine(isDatabaseUrl),
    accepted: 'postgres://user:password@host:port/name',
    secret: 'address',
    help: 'set it when DATABASE_URL leads through a pooler in transaction mode, such as PgBouncer: the same database without it, for notifications, locks and migrations',
  },
  RM_DATA_DIR: {
    shape: path,
    accepted: 'a folder',
    fallback: `${clone}.data`,
    help: 'where the embedded database and the key live',
  },
  ...keyVariables,
  RM_PUBLIC_URL: {
    shape: z.string().transform(readOrigin),
    accepted: 'an address such as https://backup.example.org, without a path',
    help: 'how browsers and agents reach the server from outside',
  },
  RM_AGENT_PACKAGE_URL: {
    shape: z.string().max(2_000).refine(isWebAddress),
    accepted: 'an address such as https://packages.example.org/restic-manager-agent',
    secret: 'address', // somebody may have put a password into it
    help: 'where hosts with an older agent are told to find a newer one (default: the public address)',
  },
  RM_LOG_LEVEL: {
    shape: z.enum(logLevels),
    accepted: logLevels.join(', '),
    fallback: 'info',
    help: 'how much the log says',
  },
  RM_TRUSTED_PROXIES: {
    shape: z.string().transform(readNetworks),
    accepted: 'addresses or networks separated by commas, such as 127.0.0.1,10.0.0.0/8',
    fallback: '',
    help: 'proxies whose X-Forwarded-For and X-Forwarded-Proto are believed',
  },
  ...tlsVariables,
  RM_ALLOW_PLAIN_HTTP: {
    shape: z.enum(['yes', 'no', '1', '0']).transform(value => value === 'yes' || value === '1'),
    accepted: 'yes or no',
    fallback: 'no',
    help: 'let agents of other machines in without TLS; their secrets can then be read on the way',
  },
  RM_API_CALLS_PER_MINUTE: {
    shape: z
      .string()
      .regex(/^\d{1,7}$/)
      .transform(Number)
      .refine(value => value >= 1),
    accepted: 'a number from 1 to 9999999',
    fallback: '600',
    help: 'how often one API key may call in a minute, on each server',
  },
  ...providerVariables,
  RM_METRICS_TOKEN: {
    shape: z.string().min(16),
    accepted: 'at least 16 characters',
    secret: true,
    help: 'Prometheus reads /metrics with `Authorization: Bearer` and this; without it and the next one there is no /metrics',
  },
  RM_METRICS_ADDRESSES: {
    shape: z.string().transform(readNetworks),
    accepted: 'addresses or networks separated by commas, such as 127.0.0.1,10.0.0.0/8',
    help: 'only from here /metrics may be read; with a token as well, both have to fit',
  },
  RM_PAGE_DIR: {
    shape: path,
    accepted: 'a folder',
    fallback: `${clone}apps/web/dist`,
    help: 'where the built page lies',
  },
  RM_TIMING: {
    shape: z.string().transform(readTiming),
    accepted: 'a JSON object of milliseconds by period, such as {"heartbeat":5000}',
    help: 'other periods than the usual ones, for tests and for people who know why',
  },
} as const satisfies Record<string, Variable>

/** The text of `--help`. `usage` is the first line. */
export function settingsHelp(): string {
  const width = Math.max(...Object.keys(variables).map(name => name.length))
  const lines = Object.entries<Variable>(variables).map(([name, { help, fallback }]) => {
    const note = fallback ? ` (default: ${fallback})` : ''
    return `  ${name.padEnd(width)}  ${help}${note}`
  })
  return ['Settings, from the environment:', ...lines].join('\n')
}

/** Reads the settings. Throws a `BadSetting` for the first one that cannot be used. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const read = <Name extends keyof typeof variables>(name: Name) => {
    const { shape, accepted, fallback, secret }: Variable = variables[name]
    // An empty variable is how compose files and unit files say "not set".
    const seen = environment[name] || fallback
    if (seen === undefined) return undefined
    const parsed = shape.safeParse(seen)
    if (!parsed.success) throw new BadSetting(`${name} is ${shown(seen, secret)}. Accepted: ${accepted}.`)
    return parsed.data as z.output<(typeof variables)[Name]['shape']>
  }
  const dataDir = resolve(read('RM_DATA_DIR') ?? '')
  const databaseUrl = read('DATABASE_URL')
  const databaseDirectUrl = read('DATABASE_DIRECT_URL')
  if (databaseUrl === undefined && databaseDirectUrl !== undefined)
    throw new BadSetting(
      'DATABASE_DIRECT_URL is set, but DATABASE_URL is not. Accepted: DATABASE_URL alone, or both.',
    )
  const host = (read('HOST') ?? '').replace(/^\[|\]$/g, '')
  const publicUrl = read('RM_PUBLIC_URL')
  const provider = readProvider(read)
  if (provider !== undefined && publicUrl === undefined && !/^(?:127\.|::1$|localhost$)/.test(host))
    throw new BadSetting(
      'RM_OIDC_ISSUER is set, but RM_PUBLIC_URL is not. Accepted: both, because the provider sends browsers back there.',
    )
  return {
    host,
    port: read('PORT') ?? 0,
    databaseUrl,
    databaseDirectUrl,
    dataDir,
    secretKeys: readKeys(read, dataDir),
    publicUrl,
    agentPackageUrl: read('RM_AGENT_PACKAGE_URL'),
    logLevel: read('RM_LOG_LEVEL') ?? 'info',
    trustedProxies: read('RM_TRUSTED_PROXIES') ?? new BlockList(),
    allowPlainHttp: read('RM_ALLOW_PLAIN_HTTP') ?? false,
    ...readTls(read),
    provider,
    apiCallsPerMinute: read('RM_API_CALLS_PER_MINUTE') ?? 0,
    metrics: { token: read('RM_METRICS_TOKEN'), addresses: read('RM_METRICS_ADDRESSES') },
    pageDir: resolve(read('RM_PAGE_DIR') ?? ''),
    timing: read('RM_TIMING') ?? timing,
  }
}

function isDatabaseUrl(value: string): boolean {
  return readDatabaseUrl(value) !== undefined
}

function isWebAddress(value: string): boolean {
  const url = URL.parse(value)
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
}

function shown(value: string, secret: Variable['secret']): string {
  if (secret === true) return '(not shown)'
  return secret === 'address' ? maskUrl(value) : JSON.stringify(value)
}

function maskUrl(value: string): string {
  const url = URL.parse(value)
  if (url === null || url.hostname === '') return '(not shown: it is not an address and may hold a password)'
  if (url.password !== '') url.password = '***'
  for (const name of url.searchParams.keys()) if (/pass/i.test(name)) url.searchParams.set(name, '***')
  return JSON.stringify(url.href)
}

function readOrigin(value: string, ctx: z.RefinementCtx): string {
  const url = URL.parse(value)
  const plain =
    url !== null && url.pathname === '/' && url.search === '' && url.hash === '' && url.username === ''
  if (plain && /^https?:$/.test(url.protocol)) return url.origin
  ctx.addIssue({ code: 'custom' })
  return z.NEVER
}

const Periods = z.strictObject(
  Object.fromEntries(Object.keys(timing).map(name => [name, z.int().min(1).optional()])),
)

function readTiming(value: string, ctx: z.RefinementCtx): Timing {
  try {
    return { ...timing, ...Periods.parse(JSON.parse(value)) } as Timing
  } catch {
    ctx.addIssue({ code: 'custom' })
    return z.NEVER
  }
}

function readNetworks(value: string, ctx: z.RefinementCtx): BlockList {
  const list = new BlockList()
  const entries = value.split(',').map(entry => entry.trim())
  for (const entry of entries.filter(text => text !== '')) {
    const [address = '', prefix, ...rest] = entry.split('/')
    const family = isIP(address)
    const bits = prefix === undefined ? undefined : Number(prefix)
    const most = family === 6 ? 128 : 32
    const fits = bits === undefined || (/^\d{1,3}$/.test(prefix ?? '') && bits <= most)
    if (family === 0 || !fits || rest.length > 0) {
      ctx.addIssue({ code: 'custom' })
      return z.NEVER
    }
    const name = family === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, name)
    else list.addSubnet(address, bits, name)
  }
  return list
}
