// How a thrown error looks on the wire, for all three routers: what the domain refused, what was malformed, and nothing of a bug.
import { TRPCError } from '@trpc/server'
import { getHTTPStatusCodeFromError } from '@trpc/server/http'
import { TRPC_ERROR_CODES_BY_KEY, type TRPC_ERROR_CODE_KEY, type TRPCErrorShape } from '@trpc/server/rpc'
import { ZodError } from 'zod'
import { type Complaint, Refusal, type RefusalCode, refusals } from '@restic-manager/contract/refusal'
import { outageIn } from './db/outage.ts'

/** What an error says beside its sentence. `refusal` is our stable code; absent for a bug. `complaints`: what is wrong with each field. */
export type WireErrorData = {
  code: TRPC_ERROR_CODE_KEY
  httpStatus: number
  refusal?: RefusalCode
  complaints?: Complaint[]
}
export type WireErrorShape = TRPCErrorShape<WireErrorData>

/** A refusal in tRPC's form. */
export function refusalError(code: RefusalCode, sentence: string): TRPCError {
  return wireErrorOf(new Refusal(code, sentence))
}

const wireErrorOf = (cause: Refusal) =>
  new TRPCError({ code: refusals[cause.code], message: cause.message, cause })

/** A refusal as tRPC's error, so that its class and HTTP status are right; a database that cannot do it now as one; any other error as it is. */
export function asWireError(error: unknown): unknown {
  const cause = error instanceof TRPCError ? error.cause : error
  if (cause instanceof Refusal) return wireErrorOf(cause)
  const outage = outageIn(cause)
  return outage === undefined ? error : refusalError('unavailable', outage.sentence)
}

/** A subscription's values, and its refusal in tRPC's form: a middleware sees only how it began. */
export async function* withWireErrors<T>(values: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* values
  } catch (error) {
    throw asWireError(error)
  }
}

/** Every issue of a bad input as one sentence, each led by its path. */
function inputSentence(error: ZodError): string {
  const first = error.issues
    .slice(0, 5)
    .map(issue => (issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`))
  const rest = error.issues.length - first.length
  return [...first, ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ').slice(0, 2_000)
}

const plainSentences: Partial<Record<TRPC_ERROR_CODE_KEY, string>> = {
  NOT_FOUND: 'There is no such procedure. The other end may be older or newer.',
  METHOD_NOT_SUPPORTED: 'This procedure is called another way.',
  UNSUPPORTED_MEDIA_TYPE: 'This content type is not understood.',
  PAYLOAD_TOO_LARGE: 'The request is too large.',
  INTERNAL_SERVER_ERROR: 'Something went wrong in the server. Its log says what.',
}

const bareComplaint = ({ code, field, message }: Complaint): Complaint => ({ code, field, message })

/** The only things that may leave with an error: our code, our sentence, the class. Built anew, never copied from the error. */
export function formatError({
  error,
  shape,
}: {
  error: TRPCError
  shape: TRPCErrorShape & { data: { httpStatus: number } }
}): WireErrorShape {
  const { cause, code } = error
  const answer = (message: string, refusal?: RefusalCode, complaints?: readonly Complaint[]) => ({
    message,
    code: TRPC_ERROR_CODES_BY_KEY[code],
    data: {
      code,
      httpStatus: shape.data.httpStatus,
      ...(refusal === undefined ? {} : { refusal }),
      ...(complaints === undefined ? {} : { complaints: complaints.map(bareComplaint) }),
    },
  })
  if (cause instanceof Refusal) return answer(cause.message, cause.code, cause.complaints)
  if (code === 'BAD_REQUEST')
    return answer(
      cause instanceof ZodError ? inputSentence(cause) : 'The request could not be read.',
      'bad_input',
    )
  return answer(plainSentences[code] ?? 'The request was turned down.')
}

/** An error as tRPC itself would say it, where our own code answers. */
export const shapeOf = (error: TRPCError): WireErrorShape =>
  formatError({
    error,
    shape: {
      message: error.message,
      code: TRPC_ERROR_CODES_BY_KEY[error.code],
      data: { httpStatus: getHTTPStatusCodeFromError(error) },
    },
  })
