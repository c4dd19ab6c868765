// settings.*: what holds for the whole installation.
import { z } from 'zod'
import { SettingsUpdateRequest, SettingsView, TurnedAwayView } from '@restic-manager/contract/settings'
import { logDaySizes } from '../fleet/log-days.ts'
import { readLogDays, updateSettings } from '../fleet/settings.ts'
import { admin, router, viewer } from './trpc.ts'

export const settingsRouter = router({
  get: viewer({ of: 'installation' })
    .output(SettingsView)
    .query(async ({ ctx }) => ({
      logDays: await readLogDays(ctx.db),
      logSizes: await logDaySizes(ctx.db),
    })),
  turnedAway: admin({ of: 'installation' })
    .output(TurnedAwayView)
    .query(({ ctx }) => ctx.turnedAway.rows()),
  update: admin({ input: SettingsUpdateRequest, of: 'installation' })
    .output(z.void())
    .mutation(({ ctx, input }) => updateSettings(ctx.db, input)),
})
