// sessions.*: one's own signed-in browsers.
import { z } from 'zod'
import { SessionRequest, SessionView } from '@restic-manager/contract/operators'
import { listSessions, revokeSession, revokeSessions } from '../auth/sessions.ts'
import type { Principal } from '../context.ts'
import { router, viewer } from './trpc.ts'

const sessionOf = ({ by }: Principal) => (by.kind === 'session' ? by.sessionId : undefined)

export const sessionsRouter = router({
  /** One's own signed-in browsers. */
  list: viewer({ of: 'self' })
    .output(z.array(SessionView))
    .query(({ ctx: { db, principal } }) =>
      listSessions(db, { operatorId: principal.operatorId, sessionId: sessionOf(principal) }),
    ),
  /** Signs one of one's own browsers out. */
  revoke: viewer({ input: SessionRequest, of: 'self' })
    .output(z.void())
    .mutation(({ ctx, input }) => revokeSession(ctx.db, { operatorId: ctx.principal.operatorId, ...input })),
  /** Signs out every browser of one's own but this one. */
  revokeOthers: viewer({ of: 'self' })
    .output(z.void())
    .mutation(({ ctx: { db, principal } }) =>
      revokeSessions(db, { operatorId: principal.operatorId, except: sessionOf(principal) }),
    ),
})
