// hosts.*: the fleet as a list, and one host.
import { z } from 'zod'
import {
  HostListRequest,
  HostPauseRequest,
  HostPoliciesRequest,
  HostRemoveRequest,
  HostRequest,
  HostUpdateRequest,
} from '@restic-manager/contract/requests'
import { HostPage, HostPolicyRow, HostView } from '@restic-manager/contract/views'
import { hostPage, viewHost } from '../fleet/host-views.ts'
import { listPolicies } from '../fleet/host-policies.ts'
import { wantNewKey } from '../fleet/host-keys.ts'
import { removeHost, updateHost } from '../fleet/hosts.ts'
import { releaseHost } from '../fleet/quarantine.ts'
import { pauseHost, resumeHost } from '../fleet/pauses.ts'
import { admin, operator, router, viewer } from './trpc.ts'

export const hostsRouter = router({
  list: viewer({ input: HostListRequest, of: 'fleet' })
    .output(HostPage)
    .query(({ ctx, input }) => hostPage(ctx.db, ctx.scope, input)),
  get: viewer({ input: HostRequest, of: { hostId: 'host' } })
    .output(HostView)
    .query(({ ctx, input }) => viewHost(ctx.db, input.hostId, ctx.scope)),
  /** What the policies of these hosts allow, so that a page greys out the rest. One that is not seen is not answered. */
  policies: viewer({ input: HostPoliciesRequest, of: 'fleet' })
    .output(z.array(HostPolicyRow))
    .query(({ ctx, input }) => listPolicies(ctx.db, ctx.scope, input)),
  // Tags decide who sees a host, so whoever is limited by them does not change them.
  update: admin({ input: HostUpdateRequest, of: { hostId: 'host', tags: 'installation' } })
    .output(z.void())
    .mutation(({ ctx, input }) => updateHost(ctx.db, input)),
  /** Its schedules rest; running by hand goes on. */
  pause: operator({ input: HostPauseRequest, of: { hostId: 'host' } })
    .output(z.void())
    .mutation(({ ctx, input }) => pauseHost(ctx.db, input, ctx.principal.email)),
  resume: operator({ input: HostRequest, of: { hostId: 'host' } })
    .output(z.void())
    .mutation(({ ctx, input }) => resumeHost(ctx.db, input.hostId)),
  /** Lets a host out of quarantine, as the first machine that comes back. */
  release: admin({ input: HostRemoveRequest, of: { hostId: 'host' }, fresh: true })
    .output(z.void())
    .mutation(({ ctx, input }) => releaseHost(ctx.db, input)),
  /** Has the host make itself another key; the old one is refused as soon as the new one was used. */
  rotateKey: admin({ input: HostRequest, of: { hostId: 'host' } })
    .output(z.void())
    .mutation(({ ctx, input }) => wantNewKey(ctx.db, input.hostId)),
  remove: admin({ input: HostRemoveRequest, of: { hostId: 'host' } })
    .output(z.void())
    .mutation(({ ctx, input }) => removeHost(ctx.db, input)),
})
