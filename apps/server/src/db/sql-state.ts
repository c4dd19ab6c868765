// PostgreSQL's own codes in an error, however the error is wrapped.

export const uniqueViolation = '23505'
export const deadlockDetected = '40P01'

/** Whether `error`, or what caused it, carries this SQLSTATE. */
export function hasSqlState(error: unknown, state: string): boolean {
  for (let inner = error; inner instanceof Error; inner = inner.cause)
    if ('code' in inner && inner.code === state) return true
  return false
}
