// A typed client of the server, for scripts, tools and pages: calls over HTTP in batches, subscriptions over one WebSocket that stays.
import type { OperatorRouter } from '@restic-manager/server/operator-api'
import {
  createTRPCClient,
  createWSClient,
  httpBatchLink,
  splitLink,
  type TRPCClient,
  TRPCClientError,
  type TRPCLink,
  wsLink,
} from '@trpc/client'
import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server'
import { SuperJSON } from 'superjson'
import { guardedFetch } from './guarded-fetch.ts'
import { jitter } from './jitter.ts'
import { resubscribeLink } from './resubscribe-link.ts'

/** Every procedure, as `api.hosts.list.query(…)`, `api.jobs.run.mutate(…)`, `api.jobs.follow.subscribe(…)`. */
export type Api = TRPCClient<OperatorRouter>
/** What each procedure takes: `Inputs['hosts']['list']`. */
export type Inputs = inferRouterInputs<OperatorRouter>
/** What each procedure answers: `Outputs['hosts']['list']`. */
export type Outputs = inferRouterOutputs<OperatorRouter>

export type ClientOptions = {
  /** Where the server is: `https://backup.example.org`, without a path. */
  url: string
  /** `rmk_…`, made on the account page or by `admin create-key`. Without one a browser's session on the same origin is used. */
  apiKey?: string | undefined
  /** A call that takes longer is given up. Milliseconds, 30,000 by default. It may have been done all the same. */
  timeoutMs?: number
  /** More headers of each request, such as those that a proxy in front asks for. Subscriptions do not carry them. */
  headers?: Record<string, string>
  /** Another `fetch`, say one that goes through a proxy. */
  fetch?: typeof globalThis.fetch
  /** Another `WebSocket`. With an API key it is given `{ headers }` as its second argument, as Node's own understands it. */
  WebSocket?: typeof globalThis.WebSocket
  /** Links that see every call first. */
  links?: readonly TRPCLink<OperatorRouter>[]
}

export type Client = AsyncDisposable & {
  api: Api
  /** Ends all subscriptions and the socket. Calls under way are answered. Safe to call twice. */
  close(): Promise<void>
}

/** As many calls as the server takes in one request. */
const MOST_CALLS = 32
/** Well below what servers and proxies take as a line. */
const LONGEST_URL = 6_000
/** The socket is closed after so long without a subscription. */
const IDLE_MS = 5_000
const PING_MS = 12_000

/** Makes a client. Nothing is sent before the first call, and no socket is opened before the first subscription. */
export function createClient(options: ClientOptions): Client {
  const { apiKey, timeoutMs = 30_000 } = options
  const url = `${options.url.replace(/\/+$/, '')}/trpc`
  const key: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }
  const closed = new AbortController()
  const socket = createWSClient({
    url: url.replace(/^http/, 'ws'),
    ...socketClass(options.WebSocket, apiKey === undefined ? undefined : key),
    lazy: { enabled: true, closeMs: IDLE_MS },
    keepAlive: { enabled: true, intervalMs: PING_MS, pongTimeoutMs: PING_MS },
    retryDelayMs: jitter,
  })
  const calls = httpBatchLink<OperatorRouter>({
    url,
    transformer: SuperJSON,
    headers: { ...options.headers, ...key },
    maxItems: MOST_CALLS,
    maxURLLength: LONGEST_URL,
    fetch: guardedFetch(options.fetch ?? globalThis.fetch, timeoutMs),
  })
  const asking = createTRPCClient<OperatorRouter>({ links: [calls] })
  const api = createTRPCClient<OperatorRouter>({
    links: [
      ...(options.links ?? []),
      splitLink({
        condition: op => op.type === 'subscription',
        true: [
          resubscribeLink({ closed: closed.signal, stranger: () => strangerError(asking) }),
          wsLink({ client: socket, transformer: SuperJSON }),
        ],
        false: calls,
      }),
    ],
  })
  const close = async () => {
    closed.abort()
    await socket.close()
  }
  return { api, close, [Symbol.asyncDispose]: close }
}

/** A refused socket looks like a lost network; a plain call tells the two apart. Undefined: it is not that. */
async function strangerError(api: Api): Promise<TRPCClientError<OperatorRouter> | undefined> {
  try {
    await api.me.get.query()
  } catch (error) {
    if (error instanceof TRPCClientError && error.data?.code === 'UNAUTHORIZED') return error
  }
  return undefined
}

type SocketClass = typeof globalThis.WebSocket
/** What Node's own WebSocket takes where a browser's takes protocols. */
type WithHeaders = new (address: string | URL, options: { headers: Record<string, string> }) => WebSocket

/** A class of sockets that show the key at the upgrade: the only place where the server looks for it. */
function socketClass(
  Socket: SocketClass | undefined,
  headers: Record<string, string> | undefined,
): { WebSocket?: SocketClass } {
  if (headers === undefined) return Socket === undefined ? {} : { WebSocket: Socket }
  const options = { headers }
  const Plain = (Socket ?? globalThis.WebSocket) as unknown as WithHeaders
  class KeyedSocket extends Plain {
    constructor(address: string | URL) {
      super(address, options)
    }
  }
  return { WebSocket: KeyedSocket as unknown as SocketClass }
}
