// What a machine may call before it is let in: redeem a token, and prove its key. Public, over plain HTTP calls.
import { initTRPC } from '@trpc/server'
import {
  ChallengeAnswer,
  EnrolmentAnswer,
  EnrolmentRedeem,
  ProofAnswer,
  SessionChallenge,
  SessionProof,
} from '@restic-manager/contract/join'
import type { JoinContext } from '../context.ts'
import { redeemEnrolment } from '../fleet/enrolments.ts'
import { challengeSession, proveSession } from '../fleet/sessions.ts'
import { asWireError, formatError } from '../wire-errors.ts'

const t = initTRPC.context<JoinContext>().create({ isDev: false, errorFormatter: formatError })

const procedure = t.procedure.use(async ({ next }) => {
  const result = await next()
  if (!result.ok) throw asWireError(result.error)
  return result
})

export const joinRouter = t.router({
  enrolment: t.router({
    redeem: procedure
      .input(EnrolmentRedeem)
      .output(EnrolmentAnswer)
      .mutation(({ ctx, input }) => redeemEnrolment(ctx.db, input, { log: ctx.log, address: ctx.address })),
  }),
  session: t.router({
    challenge: procedure
      .input(SessionChallenge)
      .output(ChallengeAnswer)
      .mutation(({ ctx, input: { hostId } }) =>
        ctx.arrivals.step(hostId, () => challengeSession(ctx.db, hostId, ctx.timing.bearerLife)),
      ),
    prove: procedure
      .input(SessionProof)
      .output(ProofAnswer)
      .mutation(async ({ ctx: { db, log, timing, arrivals }, input }) => {
        const { bearerLife } = timing
        const answer = await arrivals.step(input.hostId, () => proveSession(db, input, { log, bearerLife }))
        arrivals.expect(answer.bearer, input.hostId)
        return answer
      }),
  }),
})
export type JoinRouter = typeof joinRouter
