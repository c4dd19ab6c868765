// /auth/provider: out to the identity provider and back, to sign in, to take up an invitation, to link an account, or to prove who one is.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type ProviderProblem, providerProblems } from '@restic-manager/contract/provider-problems'
import { Refusal } from '@restic-manager/contract/refusal'
import { provingWays } from '../auth/factors.ts'
import { isFresh, isSignedIn, markProved } from '../auth/fresh.ts'
import { hashOfInvitation } from '../auth/invitations.ts'
import { type Departure, isShownAgain, type Provider, ProviderFailure } from '../auth/provider.ts'
import { enterByProvider, findByProvider, linkProvider } from '../auth/provider-people.ts'
import { openTicket, readTicket, takeTicket } from '../auth/tickets.ts'
import { type AuthBrowser, type AuthParts, type Body, textIn } from './auth-browser.ts'

const ticketKind = 'provider'

/** What somebody went away for. Strict cookies stay behind on the way back, so the session is named here. */
type Errand =
  | { for: 'sign-in' }
  | { for: 'invitation'; secretHash: string }
  | { for: 'link' | 'prove'; operatorId: string; email: string; sessionId: string }
type Away = { errand: Errand; departure: Departure; back: string }

/** Adds `GET /auth/provider`, which says its name, `POST /auth/provider/begin`, and `GET /auth/provider/callback`. */
export function addProviderRoutes(app: FastifyInstance, parts: AuthParts, browser: AuthBrowser) {
  const { provider } = parts
  app.get('/auth/provider', async (_request, reply) => reply.send({ name: provider?.settings.name ?? null }))
  if (provider !== undefined) addWays(app, { ...parts, provider }, browser)
}

type Asked = FastifyRequest<{ Body: Body | null }>
type Parts = AuthParts & { provider: Provider }

function addWays(app: FastifyInstance, { db, provider, dialled, addressOf }: Parts, browser: AuthBrowser) {
  const isProofOf = async (operatorId: string) => (await provingWays(db, operatorId)).includes('provider')

  /** Decides before the provider is asked anything whether this may be begun at all. */
  async function errandOf(request: Asked): Promise<Errand> {
    const what = textIn(request.body, 'for', 20)
    if (what === 'sign-in') return { for: what }
    if (what === 'invitation')
      return { for: what, secretHash: hashOfInvitation(textIn(request.body, 'secret', 100)) }
    if (what !== 'link' && what !== 'prove')
      throw new Refusal('bad_input', 'The for is missing or cannot be read.')
    const { operatorId, email, by } = await browser.sessionOf(request)
    if (what === 'link' && !(await isFresh(db, by)))
      throw new Refusal('second_factor_needed', 'Show again that it is you, then this is done.')
    if (what === 'prove' && !(await isProofOf(operatorId)))
      throw new Refusal('not_allowed', 'This account has something stronger to show.')
    return { for: what, operatorId, email, sessionId: by.sessionId }
  }

  const limited = { bodyLimit: 16 * 1024, config: { rateLimit: { max: 60, timeWindow: 60_000 } } }
  app.post('/auth/provider/begin', limited, async (request: Asked, reply) => {
    await browser.takeTryFrom(request, 'provider', 20)
    const origin = new URL(dialled()).origin
    const { origin: asked } = request.headers
    if (asked !== undefined && asked !== origin)
      throw new Refusal(
        'not_allowed',
        `Open ${origin} to sign in this way: the provider sends you back there.`,
      )
    const back = pathIn(request.body?.['back'], origin)
    const errand = await errandOf(request)
    const { url, departure } = await provider
      .depart(`${origin}/auth/provider/callback`, { again: errand.for === 'link' || errand.for === 'prove' })
      .catch((error: unknown) => {
        if (error instanceof ProviderFailure)
          throw new Refusal('unavailable', providerProblems[error.problem])
        throw error
      })
    const away: Away = { errand, departure, back }
    browser.tieAway(reply, await openTicket(db, ticketKind, away))
    return reply.send({ url })
  })

  app.get('/auth/provider/callback', { config: limited.config }, async (request, reply) => {
    const search = request.raw.url?.split('?')[1] ?? ''
    const ticket = browser.awayOf(request)
    const away = await readTicket<Away>(db, ticketKind, ticket)
    // A page elsewhere can send a browser here, so only what belongs to the ticket uses it up.
    const isOurs =
      away !== undefined && isSame(new URLSearchParams(search).get('state') ?? '', away.departure.state)
    if (!isOurs || (await takeTicket<Away>(db, ticketKind, ticket)) === undefined)
      return leave(reply, '/sign-in', 'over')
    browser.tieAway(reply, undefined)
    try {
      return await comeBack(request, reply, { ...away, search })
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error
      const { errand } = away
      const tried = 'operatorId' in errand ? errand.operatorId : undefined
      await browser.turnedAway(request, 'identity provider refused', tried)
      return leave(reply, placeOf(away), error.problem)
    }
  })

  async function comeBack(request: FastifyRequest, reply: FastifyReply, away: Away & { search: string }) {
    const { errand, departure, back, search } = away
    const arrival = await provider.arrive(departure, search)
    if (errand.for === 'link') {
      if (!(await isSignedIn(db, errand))) throw new ProviderFailure('signed out')
      const { operatorId: id, email: name } = errand
      await linkProvider(db, { kind: 'operator', id, name, address: addressOf(request) }, arrival)
      return leave(reply, back)
    }
    if (errand.for === 'prove') {
      if ((await findByProvider(db, arrival)) !== errand.operatorId)
        throw new ProviderFailure('another person')
      if (!isShownAgain(arrival, departure)) throw new ProviderFailure('not fresh')
      if (
        !(await isProofOf(errand.operatorId)) ||
        !(await markProved(db, { ...errand, by: 'provider', address: addressOf(request) }))
      )
        throw new ProviderFailure('signed out')
      return leave(reply, back)
    }
    const invitation = errand.for === 'invitation' ? errand.secretHash : undefined
    const comer = { arrival, invitation, address: addressOf(request) }
    const operatorId = await enterByProvider(db, provider.settings, comer)
    // Being signed in there since long proves nothing fresh, and where there is something stronger, the provider never does.
    const counts = await isProofOf(operatorId)
    const provedAt = new Date(counts ? Math.min(arrival.authenticatedAt?.getTime() ?? 0, Date.now()) : 0)
    const needs = await browser.beginOrAsk(request, reply, { operatorId, by: 'provider', provedAt })
    return needs.length === 0 ? leave(reply, back) : leave(reply, `/sign-in?back=${encodeURIComponent(back)}`)
  }

  /** Only ever to this server: `path` is made here, or was checked by `pathIn`. */
  function leave(reply: FastifyReply, path: string, problem?: ProviderProblem) {
    const url = new URL(path, dialled())
    if (problem !== undefined) url.searchParams.set('problem', problem)
    return reply.redirect(url.href, 303)
  }
}

const placeOf = ({ errand, back }: Away) =>
  errand.for === 'link' || errand.for === 'prove' ? back : `/sign-in?back=${encodeURIComponent(back)}`

/** A path of our own page, or its start: an address could lead somebody who has just signed in anywhere. */
function pathIn(value: unknown, origin: string): string {
  if (typeof value !== 'string' || value.length > 1_000 || !value.startsWith('/')) return '/'
  const url = URL.parse(value, origin)
  const isPath = url?.origin === origin && !url.pathname.startsWith('//')
  return isPath ? `${url.pathname}${url.search}${url.hash}` : '/'
}

function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}
