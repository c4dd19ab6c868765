// settings.*: what holds for the whole installation.
import { z } from 'zod'
import {
  AboutView,
  SettingsUpdateRequest,
  SettingsView,
  TurnedAwayView,
} from '@restic-manager/contract/settings'
import { about } from '../fleet/about.ts'
import { logDaySizes } from '../fleet/log-days.ts'
import { readAuditDays, readJobDays, readLogDays, updateSettings } from '../fleet/settings.ts'
import { admin, router, viewer } from './trpc.ts'

export const settingsRouter = router({
  /** What holds for the whole installation, and what its logs take. */
  get: viewer({ of: 'installation' })
    .output(SettingsView)
    .query(async ({ ctx }) => ({
      logDays: await readLogDays(ctx.db),
      jobDays: await readJobDays(ctx.db),
      auditDays: await readAuditDays(ctx.db),
      logSizes: await logDaySizes(ctx.db),
    })),
  /** What runs here: versions of the server, its database and the hosts one may see. */
  about: viewer({ of: 'fleet' })
    .output(AboutView)
    .query(({ ctx }) => about(ctx.db, ctx.scope)),
  /** How much this server turned away since it started, by reason. */
  turnedAway: admin({ of: 'installation' })
    .output(TurnedAwayView)
    .query(({ ctx }) => ctx.turnedAway.rows()),
  /** Changes what holds for the whole installation. */
  update: admin({ input: SettingsUpdateRequest, of: 'installation' })
    .output(z.void())
    .mutation(({ ctx, input }) => updateSettings(ctx.db, input)),
})
