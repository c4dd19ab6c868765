// How a thrown error looks on the wire, for all three routers: what the domain refused, what was malformed, and nothing of a bug.
import { TRPCError } from '@trpc/server'
import { TRPC_ERROR_CODES_BY_KEY, type TRPC_ERROR_CODE_KEY, type TRPCErrorShape } from '@trpc/server/rpc'
import { ZodError } from 'zod'
import { Refusal, type RefusalCode, refusals } from '@restic-manager/contract/refusal'

/** What an error says beside its sentence. `refusal` is our stable code; absent for a bug. */
export type WireErrorData = { code: TRPC_ERROR_CODE_KEY; httpStatus: number; refusal?: RefusalCode }
export type WireErrorShape = TRPCErrorShape<WireErrorData>

/** A refusal as tRPC's error, so that its class and HTTP status are right; any other error as it is. */
export function asWireError(error: TRPCError): TRPCError {
  const cause = error.cause
  if (!(cause instanceof Refusal)) return error
  return error.code === refusals[cause.code]
    ? error
    : new TRPCError({ code: refusals[cause.code], message: cause.message, cause })
}

/** A refusal by a router itself, already in tRPC's form. */
export function refusalError(code: RefusalCode, sentence: string): TRPCError {
  return new TRPCError({ code: refusals[code], message: sentence, cause: new Refusal(code, sentence) })
}

/** Every issue of a bad input as one sentence, each led by its path. */
function inputSentence(error: ZodError): string {
  const first = error.issues
    .slice(0, 5)
    .map(issue => (issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`))
  const rest = error.issues.length - first.length
  return [...first, ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ').slice(0, 2_000)
}

/** The only things that may leave with an error: our code, our sentence, the class. Built anew, never copied from the error. */
export function formatError({
  error,
  shape,
}: {
  error: TRPCError
  shape: TRPCErrorShape & { data: { httpStatus: number } }
}): WireErrorShape {
  const known = asWireError(error)
  const { cause } = known
  const code = known.code
  const data = { code, httpStatus: httpStatusOf(code, shape.data.httpStatus) }
  const answer = (message: string, refusal?: RefusalCode): WireErrorShape => ({
    message,
    code: TRPC_ERROR_CODES_BY_KEY[code],
    data: refusal === undefined ? data : { ...data, refusal },
  })
  if (cause instanceof Refusal) return answer(cause.message, cause.code)
  if (code === 'BAD_REQUEST' && cause instanceof ZodError) return answer(inputSentence(cause), 'bad_input')
  if (code === 'BAD_REQUEST') return answer('The request could not be read.', 'bad_input')
  if (code === 'INTERNAL_SERVER_ERROR')
    return answer('Something went wrong in the server. Its log says what.')
  return answer(plainSentences[code] ?? 'The request was turned down.')
}

const plainSentences: Partial<Record<TRPC_ERROR_CODE_KEY, string>> = {
  NOT_FOUND: 'There is no such procedure. The other end may be older or newer.',
  METHOD_NOT_SUPPORTED: 'This procedure is called another way.',
  UNSUPPORTED_MEDIA_TYPE: 'This content type is not understood.',
  PAYLOAD_TOO_LARGE: 'The request is too large.',
}

const statuses: Partial<Record<TRPC_ERROR_CODE_KEY, number>> = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  PRECONDITION_FAILED: 412,
  TOO_MANY_REQUESTS: 429,
  SERVICE_UNAVAILABLE: 503,
}

/** A subscription's refusal reaches the formatter unmapped, with the status of a bug. */
function httpStatusOf(code: TRPC_ERROR_CODE_KEY, asShaped: number): number {
  return statuses[code] ?? asShaped
}
