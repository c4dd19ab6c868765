// enrolments.*: one-time tokens that let machines in.
import { z } from 'zod'
import { Id } from '@restic-manager/contract/ids'
import { EnrolmentCreateRequest, EnrolmentRequest, HostRequest } from '@restic-manager/contract/requests'
import { EnrolmentView } from '@restic-manager/contract/enrolment'
import { approveHost, rejectHost } from '../fleet/approvals.ts'
import { listEnrolments, viewEnrolment } from '../fleet/enrolment-views.ts'
import { createEnrolment, revokeEnrolment } from '../fleet/enrolments.ts'
import { admin, router, viewer } from './trpc.ts'

/** The only time a token is ever shown. */
const NewEnrolment = z.object({ enrolmentId: Id, token: z.string(), expiresAt: z.date() })

export const enrolmentsRouter = router({
  /** Makes a token that lets machines in. The answer is the only time it is seen. */
  create: admin({
    input: EnrolmentCreateRequest,
    of: { tags: 'own tags' },
    makes: { kind: 'enrolment', field: 'enrolmentId' },
    fresh: true,
  })
    .output(NewEnrolment)
    .mutation(({ ctx, input }) => createEnrolment(ctx.db, { ...input, createdBy: ctx.principal.email })),
  /** One enrolment, with the hosts that came in by it and what was refused. */
  get: viewer({ input: EnrolmentRequest, of: { enrolmentId: 'enrolment' } })
    .output(EnrolmentView)
    .query(({ ctx, input }) => viewEnrolment(ctx.db, input.enrolmentId, ctx.scope)),
  /** The enrolments whose tokens may still be used, and the latest others. */
  list: viewer({ of: 'fleet' })
    .output(z.array(EnrolmentView))
    .query(({ ctx }) => listEnrolments(ctx.db, ctx.scope)),
  /** Ends a token. Hosts that came in by it stay. */
  revoke: admin({ input: EnrolmentRequest, of: { enrolmentId: 'enrolment' } })
    .output(z.void())
    .mutation(({ ctx, input }) => revokeEnrolment(ctx.db, input.enrolmentId)),
  /** Lets a host in that waits for it. */
  approve: admin({ input: HostRequest, of: { hostId: 'host' }, fresh: true })
    .output(z.void())
    .mutation(({ ctx, input }) => approveHost(ctx.db, input.hostId)),
  /**
   * Turns a host away that waits. It never was told anything, so nothing is lost.
   * @throws host_not_waiting
   */
  reject: admin({ input: HostRequest, of: { hostId: 'host' } })
    .output(z.void())
    .mutation(({ ctx, input }) => rejectHost(ctx.db, input.hostId)),
})
