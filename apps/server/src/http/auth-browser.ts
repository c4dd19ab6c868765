// What the routes under /auth share: sessions for the browser that asked, the cookie between two steps, and limits by address.
import { eq } from 'drizzle-orm'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from '@restic-manager/contract/refusal'
import { secondWays, type Shown, type Way } from '../auth/factors.ts'
import { takeTry } from '../auth/limits.ts'
import type { GetPrincipal } from '../auth/principal.ts'
import type { Provider } from '../auth/provider.ts'
import { addressHeader, type SignIn } from '../auth/sign-in.ts'
import { openTicket } from '../auth/tickets.ts'
import type { Principal } from '../context.ts'
import type { Db } from '../db/open.ts'
import { operatorSessions } from '../db/schema-operators.ts'
import type { Seal } from '../db/seal.ts'
import { limitKey } from './address.ts'

export type AuthParts = {
  db: Db
  seal: Seal
  signIn: SignIn
  /** Undefined: operators sign in here only. */
  provider: Provider | undefined
  getPrincipal: GetPrincipal
  /** The origin better-auth was made with. */
  origin: string
  /** What the operator said, if anything. */
  publicUrl: string | undefined
  /** What browsers and agents dial, whoever said it. */
  dialled: () => string
  addressOf: (request: FastifyRequest) => string
}

export type Body = Record<string, unknown>

/** The kind of ticket of a sign-in whose second factor is still to come. */
export const stepKind = 'second-step'

const cookieOf = (request: FastifyRequest, name: string) =>
  request.headers.cookie
    ?.split(/; */)
    .find(pair => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1)

export type AuthBrowser = ReturnType<typeof createAuthBrowser>

export function createAuthBrowser({ db, signIn, getPrincipal, origin, addressOf }: AuthParts) {
  const secure = origin.startsWith('https:')
  /** A browser comes back from the provider by a link of another site: a strict cookie would stay behind. */
  const awayCookie = secure ? '__Host-restic-manager-away' : 'restic-manager-away'
  const stepCookie = secure ? '__Host-restic-manager-step' : 'restic-manager-step'
  const attributesOf = (site: 'Strict' | 'Lax') =>
    `Path=/; HttpOnly; SameSite=${site}${secure ? '; Secure' : ''}`
  const attributes = attributesOf('Strict')

  function headersOf(request: FastifyRequest): Headers {
    const headers = new Headers({ [addressHeader]: addressOf(request) })
    const { cookie, 'user-agent': browser } = request.headers
    if (cookie !== undefined) headers.set('cookie', cookie)
    if (browser !== undefined) headers.set('user-agent', browser.slice(0, 300))
    return headers
  }

  const browser = {
    /** Who asks, as long as it is a session of a browser. */
    async sessionOf(request: FastifyRequest): Promise<Principal & { by: { kind: 'session' } }> {
      const { principal } = await getPrincipal(new Headers({ cookie: request.headers.cookie ?? '' }))
      if (principal?.by.kind !== 'session') throw new Refusal('not_signed_in', 'Sign in first.')
      return { ...principal, by: principal.by }
    },
    /** One try of this address; what it may try how often is told by `max`, for each minute. */
    takeTryFrom: (request: FastifyRequest, what: string, max: number) =>
      takeTry(db, `${what}:${limitKey(addressOf(request))}`, { max, windowMs: 60_000 }),
    /**
     * Begins the session of somebody who has shown everything. Its token goes into the cookie alone. `provedAt`: when that was, if not
     * now.
     */
    async begin(
      request: FastifyRequest,
      reply: FastifyReply,
      operatorId: string,
      provedAt?: Date,
    ): Promise<void> {
      const { headers, response } = await signIn.api.beginSession({
        body: { operatorId },
        headers: headersOf(request),
        returnHeaders: true,
      })
      if (provedAt !== undefined)
        await db.update(operatorSessions).set({ provedAt }).where(eq(operatorSessions.id, response.sessionId))
      for (const cookie of headers.getSetCookie()) reply.header('set-cookie', cookie)
      reply.header('set-cookie', `${stepCookie}=; Max-Age=0; ${attributes}`)
    },
    /** After a first factor: a session, or the ways of which one is still asked for. */
    async beginOrAsk(
      request: FastifyRequest,
      reply: FastifyReply,
      operatorId: string,
      provedAt?: Date,
    ): Promise<Way[]> {
      const ways = await secondWays(db, operatorId)
      if (ways.length === 0) await browser.begin(request, reply, operatorId, provedAt)
      else {
        const ticket = await openTicket(db, stepKind, { operatorId })
        reply.header('set-cookie', `${stepCookie}=${ticket}; Max-Age=300; ${attributes}`)
      }
      return ways
    },
    stepOf: (request: FastifyRequest) => cookieOf(request, stepCookie),
    /** Ties what waits for the provider's answer to this browser. `ticket` undefined: no more. */
    tieAway: (reply: FastifyReply, ticket: string | undefined) =>
      reply.header(
        'set-cookie',
        `${awayCookie}=${ticket ?? ''}; Max-Age=${ticket === undefined ? 0 : 300}; ${attributesOf('Lax')}`,
      ),
    awayOf: (request: FastifyRequest) => cookieOf(request, awayCookie),
    async end(request: FastifyRequest, reply: FastifyReply): Promise<void> {
      const { headers } = await signIn.api.signOut({ headers: headersOf(request), returnHeaders: true })
      for (const cookie of headers.getSetCookie()) reply.header('set-cookie', cookie)
    },
  }
  return browser
}

/** A text of a body that a browser sent; anything else is refused. */
export function textIn(body: Body | null, name: string, longest = 1_000): string {
  const value = body?.[name]
  if (typeof value !== 'string' || value.length > longest || value.includes('\0'))
    throw new Refusal('bad_input', `The ${name} is missing or cannot be read.`)
  return value
}

/** What somebody shows: {password}, {code}, or {ticket, passkey}. */
export function shownIn(body: Body | null): Shown {
  if (body?.['password'] !== undefined) return { password: textIn(body, 'password') }
  if (body?.['code'] !== undefined) return { code: textIn(body, 'code', 100) }
  return { ticket: textIn(body, 'ticket', 100), passkey: body?.['passkey'] }
}
