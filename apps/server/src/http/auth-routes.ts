// /auth: signing in and out, and first-run set-up. The only things a stranger with a browser can do.
import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from '@restic-manager/contract/refusal'
import { secondWays, showsFactor } from '../auth/factors.ts'
import { takeTry, TooMany } from '../auth/limits.ts'
import { hasOperator, parseNewOperator } from '../auth/operators.ts'
import { askForPasskey, takePasskey } from '../auth/passkeys.ts'
import { findByPassword } from '../auth/passwords.ts'
import { completeSetup } from '../auth/setup.ts'
import { readTicket, takeTicket } from '../auth/tickets.ts'
import {
  type AuthParts,
  type Body,
  createAuthBrowser,
  type FirstFactor,
  shownIn,
  stepKind,
  textIn,
} from './auth-browser.ts'
import { addInvitationRoutes } from './auth-invitation.ts'
import { addProofRoutes } from './auth-proof.ts'
import { addProviderRoutes } from './auth-provider.ts'
import { isForeign } from './origin.ts'

const bodyLimit = 16 * 1024
const limit = (max: number) => ({ bodyLimit, config: { rateLimit: { max, timeWindow: 60_000 } } })
type Asked = FastifyRequest<{ Body: Body | null }>

/**
 * Under what the tries of an account are counted. People type passwords in the place of the e-mail: what is none is counted together,
 * and of what looks like one a hash is kept.
 */
const accountKey = (email: string) =>
  email.includes('@') ? createHash('sha256').update(email.trim().toLowerCase()).digest('hex') : 'nobody'

/** Adds the routes under `/auth`. Expects `@fastify/rate-limit` on `app`. */
export function addAuthRoutes(app: FastifyInstance, parts: AuthParts) {
  const { db, seal, getPrincipal, publicUrl, dialled, addressOf, turnedAway } = parts
  const browser = createAuthBrowser(parts)

  app.addHook('onRequest', async (request, reply) => {
    if (request.method !== 'GET' && isForeign(request.headers, publicUrl)) {
      turnedAway.count('foreign_origin', parts.addressOf(request))
      return reply.status(403).send({ code: 'not_allowed', message: 'This request comes from another site.' })
    }
    reply.header('cache-control', 'no-store')
    return undefined
  })
  app.addHook('onError', async (_request, reply, error) => {
    if (error instanceof TooMany) reply.header('retry-after', error.retryAfterSeconds)
  })

  /** The session has begun, or `needs` says what is still asked for. */
  async function enter(request: FastifyRequest, reply: FastifyReply, first: FirstFactor) {
    const needs = await browser.beginOrAsk(request, reply, first)
    return reply.send(needs.length === 0 ? { ok: true } : { ok: true, needs })
  }

  app.post('/auth/sign-in/email', limit(30), async (request: Asked, reply) => {
    const email = textIn(request.body, 'email')
    const password = textIn(request.body, 'password')
    await browser.takeTryFrom(request, 'password', 10)
    await takeTry(db, `password of:${accountKey(email)}`, { max: 50, windowMs: 600_000 })
    const operatorId = await findByPassword(db, { email, password })
    if (operatorId === undefined) {
      browser.turnedAwayUnheard(request, email)
      throw new Refusal('not_signed_in', 'E-mail or password is wrong.')
    }
    return enter(request, reply, { operatorId, by: 'password' })
  })

  app.post('/auth/sign-in/second', limit(30), async (request: Asked, reply) => {
    await browser.takeTryFrom(request, 'second', 10)
    const shown = shownIn(request.body)
    const step = await readTicket<FirstFactor>(db, stepKind, browser.stepOf(request))
    if (step === undefined) throw new Refusal('not_allowed', 'This took too long. Sign in again.')
    const { operatorId } = step
    const ways = await secondWays(db, operatorId)
    if (!(await showsFactor(db, { operatorId, shown, ways, seal, publicUrl: dialled() }))) {
      await browser.turnedAway(request, 'second factor refused', operatorId)
      throw new Refusal(
        'not_signed_in',
        'code' in shown ? 'This code is not right, or was used before.' : 'This passkey is not known here.',
      )
    }
    // Of two that show the factor at once one comes in.
    if ((await takeTicket(db, stepKind, browser.stepOf(request))) === undefined)
      throw new Refusal('not_allowed', 'This took too long. Sign in again.')
    const by = `${step.by}, ${'code' in shown ? 'code' : 'passkey'}`
    await browser.begin(request, reply, { operatorId, by })
    return reply.send({ ok: true })
  })

  app.post('/auth/sign-in/passkey', limit(30), async (request: Asked, reply) => {
    await browser.takeTryFrom(request, 'passkey', 20)
    const answer = { ticket: textIn(request.body, 'ticket', 100), response: request.body?.['passkey'] }
    const operatorId = await takePasskey(db, dialled(), answer)
    if (operatorId === undefined) {
      await browser.turnedAway(request, 'sign-in failed')
      throw new Refusal('not_signed_in', 'This passkey is not known here.')
    }
    // A passkey is two factors in one: the device, and what unlocks it.
    await browser.begin(request, reply, { operatorId, by: 'passkey' })
    return reply.send({ ok: true })
  })

  app.post('/auth/passkey/ask', limit(60), async (request, reply) => {
    await browser.takeTryFrom(request, 'passkey ask', 60)
    const step = await readTicket<{ operatorId: string }>(db, stepKind, browser.stepOf(request))
    return reply.send(await askForPasskey(db, dialled(), step?.operatorId))
  })

  app.get('/auth/step', async (request, reply) => {
    const step = await readTicket<{ operatorId: string }>(db, stepKind, browser.stepOf(request))
    return reply.send({ needs: step === undefined ? [] : await secondWays(db, step.operatorId) })
  })

  app.post('/auth/sign-out', limit(30), async (request, reply) => {
    await browser.end(request, reply)
    return reply.send({ ok: true })
  })

  app.get('/auth/session', async (request, reply) => {
    const { principal, cookies } = await getPrincipal(new Headers({ cookie: request.headers.cookie ?? '' }))
    for (const cookie of cookies) reply.header('set-cookie', cookie)
    return reply.send({ principal: principal ?? null })
  })

  app.get('/auth/setup', async (_request, reply) => reply.send({ needed: !(await hasOperator(db)) }))

  app.post('/auth/setup', limit(10), async (request: Asked, reply) => {
    const secret = request.body?.['secret']
    if (typeof secret !== 'string')
      throw new Refusal('bad_input', 'The secret of the set-up link is missing.')
    const wish = { ...parseNewOperator(request.body), secret, address: addressOf(request) }
    const operatorId = await completeSetup(db, wish).catch(async (error: unknown) => {
      if (error instanceof Refusal && error.code === 'not_allowed')
        await browser.turnedAway(request, 'set-up refused')
      throw error
    })
    return enter(request, reply, { operatorId, by: 'set-up link' })
  })

  addProofRoutes(app, parts, browser)
  addInvitationRoutes(app, parts, browser)
  addProviderRoutes(app, parts, browser)
}
