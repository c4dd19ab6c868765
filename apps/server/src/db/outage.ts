// Telling a database that cannot do it now from a statement that is wrong: the first passes, the second is a bug.
import { codesIn, deadlockDetected, serializationFailure } from './sql-state.ts'

const away = 'The database cannot be reached at the moment. Try again shortly.'
const busy = 'The database has more to do than it can do at the moment. Try again shortly.'
const full = 'The disk of the database is full, so nothing can be kept. It goes on as soon as there is room.'
const conflict = 'Others were changing the same things at the same time. Try again.'

/** The driver's own codes, the system's, and PostgreSQL's, each with what people are told. */
const sentences: Partial<Record<string, string>> = {
  CONNECTION_CLOSED: away,
  CONNECTION_ENDED: away,
  CONNECTION_DESTROYED: away,
  CONNECT_TIMEOUT: away,
  ANSWER_TIMEOUT: away,
  ECONNREFUSED: away,
  ECONNRESET: away,
  ECONNABORTED: away,
  EPIPE: away,
  ETIMEDOUT: away,
  EHOSTUNREACH: away,
  ENETUNREACH: away,
  ENETDOWN: away,
  ENOTFOUND: away,
  EAI_AGAIN: away,
  ENOENT: away, // the socket file of a database that is down
  EAGAIN: away, // the socket of one that takes no connections
  '57P01': away, // shut down by an administrator
  '57P02': away, // crashed
  '57P03': away, // starting up
  '25006': away, // a standby, which takes no changes
  DATABASE_BUSY: busy,
  '53300': busy, // too many connections
  '53200': busy, // out of memory
  '55P03': busy, // waited too long for a lock
  '57014': busy, // took too long
  '25P03': busy, // was silent too long within a transaction
  '53100': full,
  [deadlockDetected]: conflict,
  [serializationFailure]: conflict,
}

/** What an error says of the database as a code and a sentence for people; undefined when it is not about that. */
export function outageIn(error: unknown): { code: string; sentence: string } | undefined {
  for (const code of codesIn(error)) {
    // Class 08: every kind of lost connection.
    const sentence = sentences[code] ?? (/^08.{3}$/.test(code) ? away : undefined)
    if (sentence !== undefined) return { code, sentence }
  }
  return undefined
}

/** Whether an error only says that the database cannot do it for the moment. Asking again later is safe. */
export const isOutage = (error: unknown): boolean => outageIn(error) !== undefined

/** What `read` answers, or undefined while the database is away: whoever waits for changes looks again at the next one. */
export async function unlessOutage<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (isOutage(error)) return undefined
    throw error
  }
}
