// What the database keeps of a session's token: its hash. The token itself is in the browser's cookie alone.
import { createHash } from 'node:crypto'
import type { BetterAuthOptions, DBAdapter, DBTransactionAdapter, Where } from 'better-auth'

/** SHA-256, in hex. A token has 256 random bits: nothing slower is needed. */
export const hashOfSession = (token: string): string => createHash('sha256').update(token).digest('hex')

type Found = Record<string, unknown>

const tokenIn = (model: string, where: readonly Where[]): string | undefined => {
  if (model !== 'session') return undefined
  const value = where.find(({ field }) => field === 'token')?.value
  return typeof value === 'string' ? value : undefined
}

const hashed = <Call extends { model: string; where?: Where[] | undefined }>(call: Call): Call =>
  call.model !== 'session' || call.where === undefined
    ? call
    : {
        ...call,
        where: call.where.map(part =>
          part.field === 'token' ? Object.assign({}, part, { value: hashOfValue(part.value) }) : part,
        ),
      }

const hashOfValue = (value: Where['value']) => {
  if (typeof value === 'string') return hashOfSession(value)
  if (Array.isArray(value)) return value.map(token => hashOfSession(String(token)))
  return value
}

/** What was found by a token carries it: the library asks again by what it was given, and puts it into the cookie. */
const withToken = <T>(found: T, token: string | undefined): T =>
  found === null || token === undefined ? found : (Object.assign({}, found as Found, { token } as Found) as T)

/** Has an adapter of better-auth look for sessions by the hash of their token. Sessions are begun in `sessions.ts` only. */
export const keepingHashes =
  (make: (options: BetterAuthOptions) => DBAdapter) =>
  (options: BetterAuthOptions): DBAdapter => {
    const inner = make(options)
    return {
      ...wrapped(inner),
      transaction: work => inner.transaction(tx => work(wrapped(tx))),
    }
  }

function wrapped(inner: DBTransactionAdapter): DBTransactionAdapter {
  return {
    ...inner,
    async create(call) {
      if (call.model === 'session') throw new Error('a session is begun in sessions.ts')
      return inner.create(call)
    },
    findOne: async call => withToken(await inner.findOne(hashed(call)), tokenIn(call.model, call.where)),
    findMany: call => inner.findMany(hashed(call)),
    count: call => inner.count(hashed(call)),
    update: async call => withToken(await inner.update(hashed(call)), tokenIn(call.model, call.where)),
    updateMany: call => inner.updateMany(hashed(call)),
    delete: call => inner.delete(hashed(call)),
    deleteMany: call => inner.deleteMany(hashed(call)),
  }
}
