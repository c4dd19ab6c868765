// Who is asking, and what of this server they should know.
import { Me } from '@restic-manager/contract/me'
import { version } from '../version.ts'
import { router, viewer } from './trpc.ts'

export const meRouter = router({
  /** Who is asking, and what of this server they should know. */
  get: viewer({ of: 'self' })
    .output(Me)
    .query(({ ctx }) => ({
      ...ctx.principal,
      tags: ctx.principal.tags === undefined ? null : [...ctx.principal.tags],
      serverVersion: version,
      publicUrl: ctx.publicUrl,
      caPin: ctx.caPin ?? null,
      plainHttp: ctx.plainHttp,
    })),
})
