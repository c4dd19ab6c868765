// /auth/invitation: what the link of an invitation opens, and the account it makes.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal } from '@restic-manager/contract/refusal'
import { acceptInvitation, readInvitation } from '../auth/invitations.ts'
import { hashOf, parseNewOperator } from '../auth/operators.ts'
import { type AuthBrowser, type AuthParts, type Body, textIn } from './auth-browser.ts'

/** Adds `POST /auth/invitation`, which says for whom the link is, and `POST /auth/invitation/accept`. */
export function addInvitationRoutes(
  app: FastifyInstance,
  { db, addressOf }: AuthParts,
  browser: AuthBrowser,
) {
  const limited = { bodyLimit: 16 * 1024, config: { rateLimit: { max: 30, timeWindow: 60_000 } } }
  type Asked = FastifyRequest<{ Body: Body | null }>

  /** Before any work: the secret of a stranger's guess costs no password hash. */
  async function invited(request: Asked) {
    await browser.takeTryFrom(request, 'invitation', 20)
    const secret = textIn(request.body, 'secret', 100)
    const invitation = await readInvitation(db, secret)
    if (invitation === undefined) {
      await browser.turnedAway(request, 'invitation refused')
      throw new Refusal('token_refused', 'This invitation was used, revoked or is over. Ask for a new one.')
    }
    return { secret, ...invitation }
  }

  app.post('/auth/invitation', limited, async (request: Asked, reply) => {
    const { email, role } = await invited(request)
    return reply.send({ email, role })
  })

  app.post('/auth/invitation/accept', limited, async (request: Asked, reply) => {
    const { secret, email } = await invited(request)
    const { name, password } = parseNewOperator({ ...request.body, email })
    const passwordHash = await hashOf(password)
    const address = addressOf(request)
    const operatorId = await acceptInvitation(db, { secret, name, passwordHash, address })
    await browser.begin(request, reply, { operatorId, by: 'invitation' })
    return reply.send({ ok: true })
  })
}
