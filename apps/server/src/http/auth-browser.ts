// What the routes under /auth share: sessions for the browser that asked, the cookie between two steps, and limits by address.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from '@restic-manager/contract/refusal'
import type { Log } from '@restic-manager/runtime/log'
import { secondWays, type Shown, type Way } from '../auth/factors.ts'
import { takeTry } from '../auth/limits.ts'
import { nameOperator } from '../auth/operators.ts'
import type { GetPrincipal } from '../auth/principal.ts'
import type { Provider } from '../auth/provider.ts'
import { addressHeader, type SignIn } from '../auth/sign-in.ts'
import { endSession } from '../auth/sessions.ts'
import { openTicket } from '../auth/tickets.ts'
import type { Principal } from '../context.ts'
import type { Db } from '../db/open.ts'
import type { Seal } from '../db/seal.ts'
import { nobodyAt } from '../fleet/audit.ts'
import { writeHostile } from '../fleet/audit-repeats.ts'
import type { TurnedAway } from '../fleet/turned-away.ts'
import { limitKey } from './address.ts'
import { describeError } from './error-log.ts'

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
  log: Log
  turnedAway: TurnedAway
}

export type Body = Record<string, unknown>

/** The kind of ticket of a sign-in whose second factor is still to come. */
export const stepKind = 'second-step'

/** Who has shown what of a sign-in, in words. Kept until the second factor has come. */
export type FirstFactor = { operatorId: string; by: string }
/** `provedAt`: when the strongest factor of the account was shown, if not now. */
type ShownFactors = FirstFactor & { provedAt?: Date }

const cookieOf = (request: FastifyRequest, name: string) =>
  request.headers.cookie
    ?.split(/; */)
    .find(pair => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1)

export type AuthBrowser = ReturnType<typeof createAuthBrowser>

export function createAuthBrowser({ db, signIn, getPrincipal, origin, addressOf, log }: AuthParts) {
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
    /** Who was turned away, and where from: nobody who knows an e-mail needs to be its owner. `operatorId`: whose account was tried. */
    async turnedAway(request: FastifyRequest, action: string, operatorId?: string): Promise<void> {
      const target = operatorId === undefined ? undefined : await nameOperator(db, operatorId)
      await writeHostile(db, { actor: nobodyAt(addressOf(request)), action, target })
    },
    /**
     * The same for a password. The answer does not wait for it: how long it takes would say whether there is such an account. An e-mail
     * that nobody has here is not written down, because people type passwords there.
     */
    turnedAwayUnheard(request: FastifyRequest, email: string): void {
      browser
        .turnedAway(request, 'sign-in failed', email.includes('@') ? email : undefined)
        .catch((error: unknown) =>
          log.warn({ error: describeError(error) }, 'a failed sign-in went unrecorded'),
        )
    },
    /** One try of this address; what it may try how often is told by `max`, for each minute. */
    takeTryFrom: (request: FastifyRequest, what: string, max: number) =>
      takeTry(db, `${what}:${limitKey(addressOf(request))}`, { max, windowMs: 60_000 }),
    /** Begins the session of somebody who has shown everything. Its token goes into the cookie alone. */
    async begin(request: FastifyRequest, reply: FastifyReply, shown: ShownFactors): Promise<void> {
      const { headers } = await signIn.api.beginSession({
        body: shown,
        headers: headersOf(request),
        returnHeaders: true,
      })
      for (const cookie of headers.getSetCookie()) reply.header('set-cookie', cookie)
      reply.header('set-cookie', `${stepCookie}=; Max-Age=0; ${attributes}`)
    },
    /** After a first factor: a session, or the ways of which one is still asked for. */
    async beginOrAsk(request: FastifyRequest, reply: FastifyReply, first: ShownFactors): Promise<Way[]> {
      const { operatorId, by } = first
      const ways = await secondWays(db, operatorId)
      if (ways.length === 0) await browser.begin(request, reply, first)
      else {
        const ticket = await openTicket(db, stepKind, { operatorId, by } satisfies FirstFactor)
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
      const { principal } = await getPrincipal(new Headers({ cookie: request.headers.cookie ?? '' }))
      if (principal !== undefined) await endSession(db, principal, addressOf(request))
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
