// The plan of this host once more, in a file beside its records: when those are damaged, it goes on without the server.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Id } from '@restic-manager/contract/ids'
import { HostPause, ScheduleAck } from '@restic-manager/contract/schedule'
import type { Log } from '@restic-manager/runtime/log'
import { z } from 'zod'
import { readFileIfThere, savePrivateFile } from './files.ts'
import { appliedSet, keepApplied, readPlans, type Plan } from './plan-book.ts'
import { keepPause, readPause } from './plan-pause.ts'
import type { State } from './state.ts'

/** What was applied last. `body` is a schedule word for word as the records have it, `stopped` why it does not fire. */
const Copy = z.object({
  applied: ScheduleAck.required(),
  pause: HostPause.optional(),
  schedules: z.array(z.object({ id: Id, body: z.string(), stopped: z.string().nullable() })),
})
type Copy = z.infer<typeof Copy>

export type PlanCopy = {
  /** Keeps the plan as it was applied last. Costs nothing when that is kept already. Never throws: the records have it. */
  keep(): void
  /**
   * Gives records that have no plan the one that was kept. Slots count on from where `countFrom` says, but not from before
   * that plan was applied, and not from later than now. Safe to call twice.
   */
  putBack(countFrom: (plan: Plan, now: number) => number): void
}

/** Opens the copy beside the records. Only its owner can read it, as it is with them. */
export function openPlanCopy(state: State, log: Log): PlanCopy {
  const path = join(state.folder, 'plan.json')
  let saved = readFileIfThere(path)

  function readCopy(): Copy | undefined {
    if (saved === undefined) return undefined
    const [digest, body = ''] = saved.split('\n')
    try {
      // One letter that is wrong could let go of snapshots.
      if (digest !== digestOf(body)) throw new Error('its digest is another')
      return Copy.parse(JSON.parse(body))
    } catch (error) {
      log.error({ path, err: error }, 'the copy of the plan is damaged; the plan waits for the server')
      return undefined
    }
  }

  return {
    keep() {
      const applied = appliedSet(state)
      if (applied.version === 0) return
      const schedules = state.all(
        `select id, body, stopped from schedules where stopped is not 'schedule_deleted' order by id`,
      )
      const body = JSON.stringify({ applied, pause: readPause(state), schedules })
      const text = `${digestOf(body)}\n${body}\n`
      if (text === saved) return
      try {
        state.reserve.spend('some', () => savePrivateFile(path, text))
        saved = text
      } catch (error) {
        log.warn({ err: error }, 'the plan could not be copied; it is tried again when it is applied again')
      }
    },
    putBack(countFrom) {
      if (appliedSet(state).version !== 0) return
      const copy = readCopy()
      if (copy === undefined) return
      const now = state.clock.now()
      state.transaction(() => {
        for (const { id, body, stopped } of copy.schedules)
          state.run(
            `insert into schedules (id, body, stopped, through, pruned_through) values (?, ?, ?, ?, ?)`,
            ...[id, body, stopped, now, now],
          )
        for (const plan of readPlans(state)) {
          const from = Math.max(countFrom(plan, now), Date.parse(copy.applied.appliedAt))
          const through = Math.min(from, now)
          state.run(
            'update schedules set through = ?, pruned_through = ? where id = ?',
            ...[through, through, plan.schedule.id],
          )
        }
        keepApplied(state, copy.applied)
        keepPause(state, copy.pause)
      })
      log.warn({ version: copy.applied.version }, 'the plan of this host goes on from its copy')
    },
  }
}

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex')
