// What went wrong, as data: whatever a call throws has a stable code, a sentence, and whether to try again.
import type { Complaint, RefusalCode } from '@restic-manager/contract/refusal'
import { TRPCClientError } from '@trpc/client'
import { StrayAnswer } from './guarded-fetch.ts'

/**
 * What the server refused with, or one of ours. `no_answer`: nothing that could be read came back. `timeout`: not within the time of a
 * call. `cancelled`: by the caller. `failed`: a fault of the server or of the program.
 */
export type FailureCode = RefusalCode | 'no_answer' | 'timeout' | 'cancelled' | 'failed'

export type Failure = {
  code: FailureCode
  /** What happened and what to do, for a person. */
  sentence: string
  /** What is wrong with each field of the input; empty where that is not it. */
  complaints: readonly Complaint[]
  /** Of the answer; undefined where none came. */
  httpStatus: number | undefined
  /** The same call again may go through. A mutation with the same request id does what it does once, however often it is sent. */
  mayRepeat: boolean
  /** How long the server asks to be left alone; undefined where it did not say. */
  retryAfterSeconds: number | undefined
}

/** What comes with an error of the server: see its `wire-errors.ts`. */
type ErrorData = { code: string; httpStatus: number; refusal?: RefusalCode; complaints?: Complaint[] }

const repeatable: ReadonlySet<FailureCode> = new Set(['no_answer', 'timeout', 'too_many', 'unavailable'])

/** Reads whatever was thrown by a call or told to `onError` of a subscription. */
export function failureOf(error: unknown): Failure {
  const wire = error instanceof TRPCClientError ? error : undefined
  const data = wire?.data as ErrorData | null | undefined
  const stray = causesOf(error).find(cause => cause instanceof StrayAnswer)
  const answered = stray?.response ?? (wire?.meta?.['response'] as Response | undefined)
  const code = codeOf(error, data, stray)
  return {
    code,
    sentence: wire !== undefined && data == null ? sentenceOf(code, stray) : messageOf(error),
    complaints: data?.complaints ?? [],
    httpStatus: data?.httpStatus ?? stray?.response.status,
    mayRepeat: repeatable.has(code),
    retryAfterSeconds: secondsIn(answered?.headers.get('retry-after')),
  }
}

function codeOf(error: unknown, data: ErrorData | null | undefined, stray?: StrayAnswer): FailureCode {
  if (data != null) return data.refusal ?? 'failed'
  if (stray !== undefined) return stray.response.status === 429 ? 'too_many' : 'no_answer'
  const names = new Set(causesOf(error).map(({ name }) => name))
  if (names.has('TimeoutError')) return 'timeout'
  if (names.has('AbortError')) return 'cancelled'
  return error instanceof TRPCClientError ? 'no_answer' : 'failed'
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What to say where the server said nothing. */
function sentenceOf(code: FailureCode, stray?: StrayAnswer): string {
  if (code === 'timeout')
    return 'The server took too long to answer. What was asked for may have been done all the same.'
  if (code === 'cancelled') return 'The call was cancelled by who made it.'
  if (code === 'too_many') return 'Too many calls. Try again in a while.'
  return stray === undefined
    ? 'The server did not answer. Look whether it runs and is reached at this address.'
    : `An answer came (HTTP ${stray.response.status}) that is not this server's. Look at the address, and at a proxy in front of it.`
}

/** An error and what caused it: tRPC wraps what `fetch` throws. */
function causesOf(error: unknown): Error[] {
  const causes: Error[] = []
  for (let each = error; each instanceof Error && causes.length < 10; each = each.cause) causes.push(each)
  return causes
}

function secondsIn(header: string | null | undefined): number | undefined {
  const seconds = Number.parseInt(header ?? '', 10)
  return Number.isNaN(seconds) ? undefined : seconds
}
