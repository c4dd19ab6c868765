// PostgreSQL's own codes in an error, however the error is wrapped.

export const uniqueViolation = '23505'
export const checkViolation = '23514'
export const readOnlyTransaction = '25006'
export const diskFull = '53100'
export const lockNotAvailable = '55P03'
export const deadlockDetected = '40P01'
export const serializationFailure = '40001'
/** A prepared statement that would answer with other columns than when it was prepared. */
export const answerChanged = '0A000'

/** Every code in an error and in what caused it, outermost first. */
export function codesIn(error: unknown): string[] {
  const codes: string[] = []
  for (let inner = error; inner instanceof Error; inner = inner.cause)
    if ('code' in inner && typeof inner.code === 'string') codes.push(inner.code)
  return codes
}

/** Whether `error`, or what caused it, carries this SQLSTATE. */
export const hasSqlState = (error: unknown, state: string): boolean => codesIn(error).includes(state)
