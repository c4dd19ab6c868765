// Telling a database that cannot be reached from a statement that is wrong: the first passes, the second is a bug.

/** The driver's own codes, the system's, and PostgreSQL's for shutting down, starting up and being full. */
const codes = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT', // the socket file of a database that is down
  '57P01',
  '57P02',
  '57P03',
  '53300',
])

/** Whether an error, or what caused it, only says that the database is away for the moment. Asking again later is safe. */
export function isOutage(error: unknown): boolean {
  for (let inner = error; inner instanceof Error; inner = inner.cause)
    if (
      'code' in inner &&
      typeof inner.code === 'string' &&
      (codes.has(inner.code) || inner.code.startsWith('08'))
    )
      return true
  return false
}

/** What `read` answers, or undefined while the database is away: whoever waits for changes looks again at the next one. */
export async function unlessOutage<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (isOutage(error)) return undefined
    throw error
  }
}
