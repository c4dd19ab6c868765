// /auth/prove: shows the strongest factor of the account again, for what needs a fresh one.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal } from '@restic-manager/contract/refusal'
import { provingWays, showsFactor } from '../auth/factors.ts'
import { markProved } from '../auth/fresh.ts'
import { type AuthBrowser, type AuthParts, type Body, shownIn } from './auth-browser.ts'

/** Adds `GET /auth/prove`, which says what counts, and `POST /auth/prove`, which takes it. */
export function addProofRoutes(
  app: FastifyInstance,
  { db, seal, dialled, addressOf }: AuthParts,
  browser: AuthBrowser,
) {
  app.get('/auth/prove', async (request, reply) => {
    const { operatorId } = await browser.sessionOf(request)
    return reply.send({ ways: await provingWays(db, operatorId) })
  })

  const limited = { bodyLimit: 16 * 1024, config: { rateLimit: { max: 30, timeWindow: 60_000 } } }
  app.post('/auth/prove', limited, async (request: FastifyRequest<{ Body: Body | null }>, reply) => {
    const principal = await browser.sessionOf(request)
    const { operatorId } = principal
    const shown = shownIn(request.body)
    const ways = await provingWays(db, operatorId)
    if (!(await showsFactor(db, { operatorId, shown, ways, seal, publicUrl: dialled() }))) {
      await browser.turnedAway(request, 'proof refused', operatorId)
      throw new Refusal('not_allowed', wrong(shown))
    }
    const by = 'password' in shown ? 'password' : 'code' in shown ? 'code' : 'passkey'
    await markProved(db, { ...principal, sessionId: principal.by.sessionId, by, address: addressOf(request) })
    return reply.send({ ok: true })
  })
}

function wrong(shown: object) {
  if ('password' in shown) return 'The password is wrong, or this account has something stronger to show.'
  return 'code' in shown
    ? 'This code is not right, or was used before.'
    : 'This passkey is not one of this account.'
}
