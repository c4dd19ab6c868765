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
import {
  BulkPreview,
  BulkProgress,
  HostBulkPreviewRequest,
  HostBulkProgressRequest,
  HostBulkRequest,
  HostBulkTagRequest,
  HostTag,
} from '@restic-manager/contract/bulk'
import { HostPage, HostPolicyRow, HostView } from '@restic-manager/contract/views'
import type { OperatorContext, Principal } from '../context.ts'
import type { Db } from '../db/open.ts'
import { actorOf } from '../fleet/audit.ts'
import { beginBulk, type BulkRequest, previewBulk, progressOf } from '../fleet/bulk-acts.ts'
import { workOnBulk } from '../fleet/bulk-work.ts'
import { listTags } from '../fleet/host-tags.ts'
import { hostPage, viewHost } from '../fleet/host-views.ts'
import { listPolicies } from '../fleet/host-policies.ts'
import { wantNewKey } from '../fleet/host-keys.ts'
import { removeHost, updateHost } from '../fleet/hosts.ts'
import { releaseHost } from '../fleet/quarantine.ts'
import { pauseHost, resumeHost } from '../fleet/pauses.ts'
import type { Scope } from '../fleet/scope.ts'
import { admin, operator, router, viewer } from './trpc.ts'

/** Part of the work is done before the answer; the chores of any server do the rest. */
const WORK_MS = 2_000

const anAct = { kind: 'bulk act', field: 'requestId' } as const

type Asked = Pick<OperatorContext, 'db' | 'timing' | 'address'> & {
  principal: Principal
  scope: Scope
  afterwards: (act: (db: Db) => Promise<void>) => void
}

function begin({ db, scope, principal, address, timing, afterwards }: Asked, input: BulkRequest) {
  afterwards(after => workOnBulk(after, input.requestId, { timing, forMs: WORK_MS }))
  return beginBulk(db, scope, input, actorOf(principal, address))
}

export const hostsRouter = router({
  /** Hosts, a page at a time: by name, or by last good backup with those on top that have none. */
  list: viewer({ input: HostListRequest, of: 'fleet' })
    .output(HostPage)
    .query(({ ctx, input }) => hostPage(ctx.db, ctx.scope, input)),
  /** Everything about one host. */
  get: viewer({ input: HostRequest, of: { hostId: 'host' } })
    .output(HostView)
    .query(({ ctx, input }) => viewHost(ctx.db, input.hostId, ctx.scope)),
  /** What the policies of these hosts allow, so that a page greys out the rest. One that is not seen is not answered. */
  policies: viewer({ input: HostPoliciesRequest, of: 'fleet' })
    .output(z.array(HostPolicyRow))
    .query(({ ctx, input }) => listPolicies(ctx.db, ctx.scope, input)),
  /** Gives a host another name or other tags. What is left out stays. */
  // Tags decide who sees a host, so whoever is limited by them does not change them.
  update: admin({ input: HostUpdateRequest, of: { hostId: 'host', tags: 'installation' } })
    .output(z.void())
    .mutation(({ ctx, input }) => updateHost(ctx.db, input)),
  /** Its schedules rest; running by hand goes on. */
  pause: operator({ input: HostPauseRequest, of: { hostId: 'host' } })
    .output(z.void())
    .mutation(({ ctx, input }) => pauseHost(ctx.db, input, ctx.principal.email)),
  /** Ends a pause: its schedules run again from their next slots on. */
  resume: operator({ input: HostRequest, of: { hostId: 'host' } })
    .output(z.void())
    .mutation(({ ctx, input }) => resumeHost(ctx.db, input.hostId)),
  /** Every tag that hosts carry, with how many carry it. */
  tags: viewer({ of: 'fleet' })
    .output(z.array(HostTag))
    .query(({ ctx }) => listTags(ctx.db, ctx.scope)),
  /** What an act on these hosts would do to each, before it is begun. */
  bulkPreview: viewer({ input: HostBulkPreviewRequest, of: { hostIds: 'host' } })
    .output(BulkPreview)
    .query(({ ctx, input }) => previewBulk(ctx.db, ctx.scope, input)),
  /** Begins to pause, resume or run many hosts. What comes of it is told by `bulkProgress`. */
  bulk: operator({ input: HostBulkRequest, of: { hostIds: 'host' }, about: anAct })
    .output(z.object({ hosts: z.number() }))
    .mutation(({ ctx, input }) => begin(ctx, input)),
  /** Begins to tag many hosts. Tags decide who sees a host, so whoever is limited by them does not change them. */
  bulkTag: admin({ input: HostBulkTagRequest, of: 'installation', about: anAct })
    .output(z.object({ hosts: z.number() }))
    .mutation(({ ctx, input }) => begin(ctx, input)),
  /** How far an act on many hosts has come. Null: there is none with that request id. */
  bulkProgress: viewer({ input: HostBulkProgressRequest, of: 'fleet' })
    .output(BulkProgress.nullable())
    .query(({ ctx, input }) => progressOf(ctx.db, input.requestId, actorOf(ctx.principal).id ?? '')),
  /**
   * Lets a host out of quarantine, as the first machine that comes back.
   * @throws host_not_quarantined
   */
  release: admin({ input: HostRemoveRequest, of: { hostId: 'host' }, fresh: true })
    .output(z.void())
    .mutation(({ ctx, input }) => releaseHost(ctx.db, input)),
  /** Has the host make itself another key; the old one is refused as soon as the new one was used. */
  rotateKey: admin({ input: HostRequest, of: { hostId: 'host' } })
    .output(z.void())
    .mutation(({ ctx, input }) => wantNewKey(ctx.db, input.hostId)),
  /** Shuts the host's agent out at once, and forgets its plan. Its snapshots stay in the repositories. */
  remove: admin({ input: HostRemoveRequest, of: { hostId: 'host' } })
    .output(z.void())
    .mutation(({ ctx, input }) => removeHost(ctx.db, input)),
})
