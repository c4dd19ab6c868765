// keys.*: one's own API keys.
import { z } from 'zod'
import { KeyCreated, KeyCreateRequest, KeyRequest, KeyView } from '@restic-manager/contract/operators'
import { createApiKey, listApiKeys, revokeApiKey } from '../auth/api-keys.ts'
import { router, viewer } from './trpc.ts'

const dayMs = 86_400_000

export const keysRouter = router({
  list: viewer({ of: 'self' })
    .output(z.array(KeyView))
    .query(({ ctx }) => listApiKeys(ctx.db, ctx.principal.operatorId)),
  create: viewer({ input: KeyCreateRequest, of: 'self', fresh: true })
    .output(KeyCreated)
    .mutation(async ({ ctx: { db, principal }, input: { name, scopes, days } }) => ({
      key: await createApiKey(db, {
        ...{ email: principal.email, name, scopes },
        ...(days !== null && { expiresAt: new Date(Date.now() + days * dayMs) }),
      }),
    })),
  revoke: viewer({ input: KeyRequest, of: 'self' })
    .output(z.void())
    .mutation(({ ctx, input }) => revokeApiKey(ctx.db, { operatorId: ctx.principal.operatorId, ...input })),
})
