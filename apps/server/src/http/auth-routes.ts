// /auth: signing in and out, and first-run set-up. The only things a stranger with a browser can do.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from '@restic-manager/contract/refusal'
import { hasOperator, parseNewOperator } from '../auth/operators.ts'
import type { GetPrincipal } from '../auth/principal.ts'
import { completeSetup } from '../auth/setup.ts'
import { addressHeader, type SignIn } from '../auth/sign-in.ts'
import type { Db } from '../db/open.ts'
import { isForeign } from './origin.ts'

export type AuthParts = {
  db: Db
  signIn: SignIn
  getPrincipal: GetPrincipal
  /** What better-auth was told; requests are handed to it under this address. */
  origin: string
  /** What the operator said, if anything. */
  publicUrl: string | undefined
  addressOf: (request: FastifyRequest) => string
}

type Body = Record<string, unknown>

const bodyLimit = 16 * 1024

/** Adds the routes under `/auth`. Expects `@fastify/rate-limit` on `app`. */
export function addAuthRoutes(app: FastifyInstance, parts: AuthParts) {
  const { db, signIn, getPrincipal, origin, publicUrl, addressOf } = parts
  const limited = { bodyLimit, config: { rateLimit: { max: 30, timeWindow: 60_000 } } }

  app.addHook('onRequest', async (request, reply) => {
    if (request.method !== 'GET' && isForeign(request.headers, publicUrl))
      return reply.status(403).send({ code: 'not_allowed', message: 'This request comes from another site.' })
    reply.header('cache-control', 'no-store')
    return undefined
  })

  const signInWith = (request: FastifyRequest, reply: FastifyReply, body: Body) =>
    forward(request, reply, '/auth/sign-in/email', { email: body['email'], password: body['password'] })

  /** Hands a request to better-auth with nothing from outside but the body, the cookie and the browser's name. */
  async function forward(request: FastifyRequest, reply: FastifyReply, path: string, body: Body) {
    const headers = new Headers({
      'content-type': 'application/json',
      origin,
      [addressHeader]: addressOf(request),
    })
    const { cookie, 'user-agent': browser } = request.headers
    if (cookie !== undefined) headers.set('cookie', cookie)
    if (browser !== undefined) headers.set('user-agent', browser.slice(0, 300))
    const answer = await signIn.handler(
      new Request(`${origin}${path}`, { method: 'POST', headers, body: JSON.stringify(body) }),
    )
    for (const cookie of answer.headers.getSetCookie()) reply.header('set-cookie', cookie)
    // Its success answer carries the session token, which belongs in the cookie alone.
    if (answer.ok) return reply.send({ ok: true })
    const said = (await answer.json().catch(() => ({}))) as { message?: string }
    const retry = answer.headers.get('x-retry-after')
    if (retry !== null) reply.header('retry-after', retry)
    const refusal = refusalFor(answer.status, said.message)
    return reply.status(answer.status >= 500 ? 503 : answer.status).send(refusal)
  }

  app.post<{ Body: Body | null }>('/auth/sign-in/email', limited, (request, reply) =>
    signInWith(request, reply, request.body ?? {}),
  )
  app.post('/auth/sign-out', limited, (request, reply) => forward(request, reply, '/auth/sign-out', {}))

  app.get('/auth/session', async (request, reply) => {
    const { principal, cookies } = await getPrincipal(new Headers({ cookie: request.headers.cookie ?? '' }))
    for (const cookie of cookies) reply.header('set-cookie', cookie)
    return reply.send({ principal: principal ?? null })
  })

  app.get('/auth/setup', async (_request, reply) => reply.send({ needed: !(await hasOperator(db)) }))

  app.post<{ Body: Body | null }>(
    '/auth/setup',
    { bodyLimit, config: { rateLimit: { max: 10, timeWindow: 60_000 } } },
    async (request, reply) => {
      const body = request.body ?? {}
      const secret = body['secret']
      if (typeof secret !== 'string')
        throw new Refusal('bad_input', 'The secret of the set-up link is missing.')
      const operator = parseNewOperator(body)
      await completeSetup(db, { ...operator, secret })
      return signInWith(request, reply, operator)
    },
  )
}

function refusalFor(status: number, said: string | undefined) {
  if (status === 401) return { code: 'not_signed_in', message: 'E-mail or password is wrong.' }
  if (status === 429)
    return { code: 'too_many', message: 'Too many attempts. Wait a minute, then try again.' }
  if (status >= 500)
    return { code: 'unavailable', message: 'The server could not do this now. Try again in a moment.' }
  return { code: 'bad_input', message: said ?? 'The request could not be read.' }
}
