// keys.*: one's own API keys.
import { z } from 'zod'
import { KeyCreated, KeyCreateRequest, KeyRequest, KeyView } from '@restic-manager/contract/operators'
import { createApiKey, listApiKeys, revokeApiKey } from '../auth/api-keys.ts'
import { router, viewer } from './trpc.ts'

const dayMs = 86_400_000

export const keysRouter = router({
  /** One's own API keys. Never a key itself. */
  list: viewer({ of: 'self' })
    .output(z.array(KeyView))
    .query(({ ctx }) => listApiKeys(ctx.db, ctx.principal.operatorId)),
  /**
   * Makes an API key that acts as oneself within its scopes. The answer is the only time it is seen.
   * @repeat no: each call makes another key
   */
  create: viewer({ input: KeyCreateRequest, of: 'self', fresh: true })
    .output(KeyCreated)
    .mutation(async ({ ctx: { db, principal }, input: { name, scopes, days } }) => ({
      key: await createApiKey(db, {
        ...{ email: principal.email, name, scopes },
        ...(days !== null && { expiresAt: new Date(Date.now() + days * dayMs) }),
      }),
    })),
  /** Ends one of one's own API keys, and the sockets it opened. */
  revoke: viewer({ input: KeyRequest, of: 'self' })
    .output(z.void())
    .mutation(({ ctx, input }) => revokeApiKey(ctx.db, { operatorId: ctx.principal.operatorId, ...input })),
})
