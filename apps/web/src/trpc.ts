// The typed client: queries and mutations over HTTP, subscriptions over one WebSocket.
import type { OperatorRouter } from '@restic-manager/server/operator-api'
import type { Complaint, RefusalCode } from '@restic-manager/contract/refusal'
import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query'
import {
  createTRPCClient,
  createWSClient,
  httpBatchStreamLink,
  splitLink,
  TRPCClientError,
  wsLink,
} from '@trpc/client'
import { createTRPCOptionsProxy } from '@trpc/tanstack-react-query'
import { SuperJSON } from 'superjson'
import { setLive } from './link.ts'
import { proofLink } from './proof-link.ts'
import { proveItIsYou } from './proof.ts'
import { jitter } from './stay-subscribed.ts'

const signedOutListeners = new Set<() => void>()

/** Calls `listener` when the server says that nobody is signed in. Returns how to stop. */
export function onSignedOut(listener: () => void): () => void {
  signedOutListeners.add(listener)
  return () => signedOutListeners.delete(listener)
}

/** Whether the server answered that nobody is signed in. */
export const saysSignedOut = (error: unknown): boolean =>
  error instanceof TRPCClientError && error.data?.code === 'UNAUTHORIZED'

/** Tells the page to ask for a sign-in when that is what the error means. */
export function watchForSignOut(error: unknown): void {
  if (saysSignedOut(error)) for (const tell of signedOutListeners) tell()
}

/** Whether the server itself said no, rather than not answering. */
export const wasAnswered = (error: unknown): boolean => error instanceof TRPCClientError && error.data != null

/** What happened, as a sentence. */
export function sentenceFor(error: unknown): string {
  if (error instanceof TRPCClientError && error.data != null) return error.message
  if (error instanceof TRPCClientError) return 'The server did not answer. This page tries again by itself.'
  return error instanceof Error ? error.message : String(error)
}

/** The stable code of a refusal; undefined for anything else. */
export function refusalIn(error: unknown): RefusalCode | undefined {
  return error instanceof TRPCClientError ? (error.data?.refusal as RefusalCode | undefined) : undefined
}

/** What a refusal says is wrong with each field; empty for anything else. */
export function complaintsIn(error: unknown): Complaint[] {
  return error instanceof TRPCClientError ? ((error.data?.complaints as Complaint[] | undefined) ?? []) : []
}

export const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: watchForSignOut }),
  mutationCache: new MutationCache({ onError: watchForSignOut }),
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (failures, error) => failures < 3 && !wasAnswered(error),
    },
    mutations: { retry: false },
  },
})

const socket = createWSClient({
  url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/trpc`,
  lazy: { enabled: true, closeMs: 5_000 },
  keepAlive: { enabled: true, intervalMs: 12_000, pongTimeoutMs: 12_000 },
  retryDelayMs: jitter,
  onClose: () => {
    setLive(false)
    // A refused upgrade looks like a lost network from here; a plain request tells the two apart.
    void queryClient.invalidateQueries(trpc.me.get.queryFilter())
  },
})

/** Of what is asked together each answer comes when it is ready: none waits for the slowest. */
const calls = (maxItems: number) => httpBatchStreamLink({ url: '/trpc', transformer: SuperJSON, maxItems })

export const client = createTRPCClient<OperatorRouter>({
  links: [
    proofLink(proveItIsYou),
    splitLink({
      condition: op => op.type === 'subscription',
      true: wsLink({ client: socket, transformer: SuperJSON }),
      false: splitLink({
        // A page is drawn once it is known who is signed in, however long the rest takes.
        condition: op => op.path === 'me.get',
        true: calls(1),
        false: calls(10),
      }),
    }),
  ],
})

/** Query and mutation options for every procedure. */
export const trpc = createTRPCOptionsProxy<OperatorRouter>({ client, queryClient })
