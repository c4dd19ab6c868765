// A server that somebody else runs: the fleet comes with tokens, or with an admin, that were given, and nothing of it is killed.
import { createTRPCClient, httpBatchLink } from '@trpc/client'
import superjson from 'superjson'
import type { OperatorRouter } from '@restic-manager/server/operator-api'
import { signedIn } from '@restic-manager/testkit/signed-in'
import type { Api } from '../../../../scripts/operator.ts'
import type { Cost, Ground } from './ground.ts'

export type GivenServer = {
  url: string
  tokens: readonly string[]
  /** Who may make tokens, repositories and schedules: a key may not. */
  admin: { email: string; password: string } | undefined
  metricsToken: string | undefined
}

/** Looks whether the server answers and lets the admin in. Throws a sentence when it does not. */
export async function openGivenGround({ url, tokens, admin, metricsToken }: GivenServer): Promise<Ground> {
  const base = url.replace(/\/+$/, '')
  const answer = await fetch(`${base}/readyz`).catch((error: unknown) => {
    throw new Error(`${base} does not answer: ${causeOf(error)}.`)
  })
  if (!answer.ok) throw new Error(`${base} is not ready: its /readyz answers ${answer.status}.`)
  const api = admin === undefined ? undefined : connect(base, admin)
  await api?.hosts.list.query({ limit: 1 })
  const cost = async () => (metricsToken === undefined ? undefined : readMetrics(base, metricsToken))
  await cost()
  return {
    ...{ urls: [base], api, tokens, own: undefined, cost },
    isHere: ['127.0.0.1', 'localhost'].includes(new URL(base).hostname),
    async [Symbol.asyncDispose]() {},
  }
}

const causeOf = (error: unknown): string => {
  const { message, cause } = error as Error & { cause?: { code?: string; message?: string } }
  return cause?.code ?? cause?.message ?? message
}

function connect(url: string, admin: { email: string; password: string }): Api {
  return createTRPCClient<OperatorRouter>({
    links: [
      httpBatchLink({
        ...{ url: `${url}/trpc`, transformer: superjson, maxItems: 32 },
        headers: signedIn(url, admin),
      }),
    ],
  })
}

/** What one server says of itself; behind a balancer that is whichever answers. */
async function readMetrics(url: string, token: string): Promise<Cost> {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })
  if (!answer.ok)
    throw new Error(
      `${url}/metrics answers ${answer.status}: is RM_METRICS_TOKEN of the server the token you gave?`,
    )
  const said = await answer.text()
  const read = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(said)?.[1] ?? Number.NaN)
  return {
    serverCpuSeconds: read('process_cpu_seconds_total'),
    databaseCpuSeconds: undefined,
    residentBytes: read('process_resident_memory_bytes'),
    peakBytes: undefined,
  }
}
