// hosts.*: the fleet as a list, and one host.
import { z } from 'zod'
import {
  HostListRequest,
  HostRemoveRequest,
  HostRequest,
  HostUpdateRequest,
} from '@restic-manager/contract/requests'
import { HostPage, HostView } from '@restic-manager/contract/views'
import { hostPage, viewHost } from '../fleet/host-views.ts'
import { removeHost, updateHost } from '../fleet/hosts.ts'
import { admin, router, viewer } from './trpc.ts'

export const hostsRouter = router({
  list: viewer
    .input(HostListRequest)
    .output(HostPage)
    .query(({ ctx, input }) => hostPage(ctx.db, input)),
  get: viewer
    .input(HostRequest)
    .output(HostView)
    .query(({ ctx, input }) => viewHost(ctx.db, input.hostId)),
  update: admin
    .input(HostUpdateRequest)
    .output(z.void())
    .mutation(({ ctx, input }) => updateHost(ctx.db, input)),
  remove: admin
    .input(HostRemoveRequest)
    .output(z.void())
    .mutation(({ ctx, input }) => removeHost(ctx.db, input)),
})
