// Who is asking, and what of this server they should know.
import { Me } from '@restic-manager/contract/views'
import { version } from '../version.ts'
import { router, viewer } from './trpc.ts'

export const meRouter = router({
  get: viewer.output(Me).query(({ ctx }) => ({
    ...ctx.principal,
    serverVersion: version,
    publicUrl: ctx.publicUrl,
    plainHttp: ctx.plainHttp,
  })),
})
