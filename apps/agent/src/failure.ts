// The one place that decides whether a call that failed is tried again.
import type { TRPC_ERROR_CODE_KEY } from '@trpc/server/rpc'

/** What the server said with an error; undefined when it said nothing at all. */
export type ServerWord = { code: TRPC_ERROR_CODE_KEY; refusal?: string }

/**
 * No answer means the server may or may not have acted: sending again is safe. A session that may not speak is
 * closed and dialled again, the fact stays. What the server can never take is set aside.
 */
export function afterFailure(error: unknown): 'again' | 'redial' | 'setAside' {
  switch (serverWord(error)?.code) {
    case 'UNAUTHORIZED':
    case 'FORBIDDEN':
    case 'CONFLICT':
    case 'PRECONDITION_FAILED':
      return 'redial'
    case 'BAD_REQUEST':
    case 'NOT_FOUND':
      return 'setAside'
    default:
      return 'again'
  }
}

/** Reads what the server said out of a client's error. */
export function serverWord(error: unknown): ServerWord | undefined {
  const data = (error as { data?: unknown } | null)?.data
  if (typeof data !== 'object' || data === null || !('code' in data)) return undefined
  return data as ServerWord
}

/** What went wrong as a sentence, for a log line or a status. Never the input of a call. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.message === '') return error.errors.map(sentenceOf).join('; ')
  if (error.message !== '') return error.message
  return error.cause instanceof Error ? sentenceOf(error.cause) : error.name
}
