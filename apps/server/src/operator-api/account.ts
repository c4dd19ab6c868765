// account.*: one's own password, authenticator app and passkeys.
import { z } from 'zod'
import {
  AccountView,
  CodeRequest,
  PasskeyCreateRequest,
  PasskeyRequest,
  PasswordChangeRequest,
  RecoveryCodes,
  SecondFactorBegun,
} from '@restic-manager/contract/operators'
import { Refusal } from '@restic-manager/contract/refusal'
import { readAccount } from '../auth/account.ts'
import { hashOf, parseNewPassword } from '../auth/operators.ts'
import { addPasskey, beginPasskey, removePasskey } from '../auth/passkeys.ts'
import { changePassword } from '../auth/passwords.ts'
import { unlinkProvider } from '../auth/provider-people.ts'
import {
  beginSecondFactor,
  confirmSecondFactor,
  removeSecondFactor,
  renewRecoveryCodes,
} from '../auth/second-factors.ts'
import type { Principal } from '../context.ts'
import { router, viewer } from './trpc.ts'

/** Whose account, and in which session. What is fresh never comes by a key. */
function ownSession({ operatorId, by }: Principal): { operatorId: string; sessionId: string } {
  if (by.kind !== 'session') throw new Refusal('not_allowed', 'An API key cannot do this.')
  return { operatorId, sessionId: by.sessionId }
}

export const accountRouter = router({
  get: viewer({ of: 'self' })
    .output(AccountView)
    .query(({ ctx }) => readAccount(ctx.db, ctx.principal.operatorId)),
  changePassword: viewer({ input: PasswordChangeRequest, of: 'self', fresh: true })
    .output(z.void())
    .mutation(async ({ ctx, input }) => {
      const passwordHash = await hashOf(parseNewPassword(input.password))
      await changePassword(ctx.db, { ...ownSession(ctx.principal), passwordHash })
    }),
  beginSecondFactor: viewer({ of: 'self', fresh: true })
    .output(SecondFactorBegun)
    .mutation(({ ctx }) => beginSecondFactor(ctx.db, ctx.seal, ctx.principal)),
  confirmSecondFactor: viewer({ input: CodeRequest, of: 'self', fresh: true })
    .output(RecoveryCodes)
    .mutation(async ({ ctx, input }) => ({
      codes: await confirmSecondFactor(ctx.db, ctx.seal, { ...ownSession(ctx.principal), ...input }),
    })),
  renewRecoveryCodes: viewer({ of: 'self', fresh: true })
    .output(RecoveryCodes)
    .mutation(async ({ ctx }) => ({ codes: await renewRecoveryCodes(ctx.db, ctx.principal.operatorId) })),
  removeSecondFactor: viewer({ of: 'self', fresh: true })
    .output(z.void())
    .mutation(({ ctx }) => removeSecondFactor(ctx.db, ctx.principal.operatorId)),
  beginPasskey: viewer({ of: 'self', fresh: true })
    .output(z.object({ options: z.unknown(), ticket: z.string() }))
    .mutation(({ ctx }) => beginPasskey(ctx.db, ctx.publicUrl, ctx.principal)),
  addPasskey: viewer({ input: PasskeyCreateRequest, of: 'self', fresh: true })
    .output(z.void())
    .mutation(({ ctx, input }) =>
      addPasskey(ctx.db, ctx.publicUrl, { ...ownSession(ctx.principal), ...input }),
    ),
  removePasskey: viewer({ input: PasskeyRequest, of: 'self', fresh: true })
    .output(z.void())
    .mutation(({ ctx, input }) => removePasskey(ctx.db, { ...input, ...ownSession(ctx.principal) })),
  unlinkProvider: viewer({ of: 'self', fresh: true })
    .output(z.void())
    .mutation(({ ctx }) => unlinkProvider(ctx.db, ctx.principal.operatorId)),
})
