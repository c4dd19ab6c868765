// Who asks: the one place that turns a session cookie or an API key into a principal.
import { eq } from 'drizzle-orm'
import type { Principal } from '../context.ts'
import type { Db } from '../db/open.ts'
import { operators, operatorSessions } from '../db/schema-operators.ts'
import type { ApiKeys } from './api-keys.ts'
import { sessionLifeMs, type SignIn } from './sign-in.ts'

/** `cookies`: what to send back so that a session in use stays alive. Empty for an API key. */
export type Asked = { principal: Principal | undefined; by: 'cookie' | 'key' | 'nobody'; cookies: string[] }

/** `touch: false` looks without keeping an idle session alive. */
export type GetPrincipal = (headers: Headers, how?: { touch: boolean }) => Promise<Asked>

const nobody: Asked = { principal: undefined, by: 'nobody', cookies: [] }

/** Throws when the database cannot answer: not knowing who asks is not the same as nobody asking. */
export function createGetPrincipal(parts: { db: Db; signIn: SignIn; apiKeys: ApiKeys }): GetPrincipal {
  const { db, signIn, apiKeys } = parts
  return async (headers, { touch } = { touch: true }) => {
    const bearer = /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1]
    // A request that shows a key means the key, whatever cookies a browser adds.
    if (bearer !== undefined) return { principal: await apiKeys.principalOf(bearer), by: 'key', cookies: [] }
    const cookie = headers.get('cookie')
    if (cookie === null) return nobody
    const found = await signIn.api.getSession({
      headers: new Headers({ cookie }),
      query: { disableRefresh: !touch },
      returnHeaders: true,
    })
    const session = found.response
    if (session === null) return { principal: undefined, by: 'cookie', cookies: found.headers.getSetCookie() }
    if (session.session.createdAt.getTime() + sessionLifeMs < Date.now()) {
      await db.delete(operatorSessions).where(eq(operatorSessions.id, session.session.id))
      return { principal: undefined, by: 'cookie', cookies: [] }
    }
    const principal = await principalOfSession(db, session.session.id)
    return { principal, by: 'cookie', cookies: found.headers.getSetCookie() }
  }
}

/** Read from our own tables, so that nothing but their columns decides what somebody may do. */
async function principalOfSession(db: Db, sessionId: string): Promise<Principal | undefined> {
  const [found] = await db
    .select({
      operatorId: operators.id,
      name: operators.name,
      email: operators.email,
      role: operators.role,
      tags: operators.tags,
      provedAt: operatorSessions.provedAt,
    })
    .from(operatorSessions)
    .innerJoin(operators, eq(operators.id, operatorSessions.userId))
    .where(eq(operatorSessions.id, sessionId))
  if (found === undefined) return undefined
  const { provedAt, tags, ...operator } = found
  return { ...operator, tags: tags ?? undefined, by: { kind: 'session', sessionId, provedAt } }
}
