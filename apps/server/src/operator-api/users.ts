// users.*: who may sign in and do what, for admins of all hosts.
import { z } from 'zod'
import {
  InvitationCreated,
  InvitationCreateRequest,
  InvitationRequest,
  UserRequest,
  UsersView,
  UserUpdateRequest,
} from '@restic-manager/contract/operators'
import { createInvitation, listInvitations, revokeInvitation } from '../auth/invitations.ts'
import { revokeSessions } from '../auth/sessions.ts'
import { listUsers, removeUser, updateUser } from '../auth/users.ts'
import { admin, router } from './trpc.ts'

const aboutOperator = { of: 'installation', about: { kind: 'operator', field: 'operatorId' } } as const

export const usersRouter = router({
  /** Everybody who may sign in, and who was invited. */
  list: admin({ of: 'installation' })
    .output(UsersView)
    .query(async ({ ctx }) => ({
      users: await listUsers(ctx.db),
      invitations: await listInvitations(ctx.db),
    })),
  /**
   * Invites somebody. The link in the answer is the only time it is seen.
   * @throws name_taken
   * @repeat yes: a later invitation of the same e-mail takes the place of the one before
   */
  invite: admin({
    input: InvitationCreateRequest,
    of: 'installation',
    about: { kind: 'invitation', field: 'email' },
    fresh: true,
  })
    .output(InvitationCreated)
    .mutation(async ({ ctx, input }) => {
      const secret = await createInvitation(ctx.db, { ...input, createdBy: ctx.principal.email })
      return { link: `${ctx.publicUrl}/invitation#${secret}` }
    }),
  /** Ends an invitation that nobody took up. */
  revokeInvitation: admin({
    input: InvitationRequest,
    of: 'installation',
    about: { kind: 'invitation', field: 'invitationId' },
    fresh: true,
  })
    .output(z.void())
    .mutation(({ ctx, input }) => revokeInvitation(ctx.db, input.invitationId)),
  /**
   * Gives somebody another role, or other hosts to see.
   * @throws operator_not_found
   */
  update: admin({ input: UserUpdateRequest, ...aboutOperator, fresh: true })
    .output(z.void())
    .mutation(({ ctx, input }) => updateUser(ctx.db, input)),
  /** Ends every session and API key's socket of somebody. */
  signOut: admin({ input: UserRequest, ...aboutOperator, fresh: true })
    .output(z.void())
    .mutation(({ ctx, input }) => revokeSessions(ctx.db, input)),
  /**
   * Takes somebody's account away.
   * @throws operator_not_found
   */
  remove: admin({ input: UserRequest, ...aboutOperator, fresh: true })
    .output(z.void())
    .mutation(({ ctx, input }) => removeUser(ctx.db, input.operatorId)),
})
