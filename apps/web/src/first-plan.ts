// The plan a first backup comes with: every night, thinned to what is worth keeping, looked after.
import type { Id } from '@restic-manager/contract/ids'
import type { ScheduleDraft } from '@restic-manager/contract/schedule'
import type { HostView, RepositoryView } from '@restic-manager/contract/views'
import { newSchedule } from './schedule-draft.ts'
import { clockOf, cronOf, nightTime } from './timetable.ts'

type Host = Pick<HostView, 'id' | 'os' | 'timeZone' | 'policy'>
type Repository = Pick<RepositoryView, 'id' | 'mayDelete' | 'maintenanceHost'>
type Time = { hour: number; minute: number }

/**
 * `maintains`: this host also gets the right to delete, and frees space. `checks`: the repository's structure is checked
 * each week. `keeps`: old snapshots go by the usual retention.
 */
export type FirstPlan = { at: Time; keeps: boolean; checks: boolean; maintains: boolean }

/** What the form begins with. The night hour is spread by the host's id. Nobody is given the right to delete unasked. */
export const firstPlan = (host: Host, repository: Repository): FirstPlan => ({
  at: nightTime(host.id),
  keeps: repository.mayDelete || repository.maintenanceHost !== null,
  checks: true,
  maintains: false,
})

/** Whether something would thin and tidy the repository with this plan. */
export const mayForget = (repository: Repository, { maintains }: FirstPlan): boolean =>
  repository.mayDelete || maintains || repository.maintenanceHost !== null

/** The time of a plan as the form shows it. */
export const timeOfPlan = ({ at }: FirstPlan): string => clockOf(at)

/** The backup schedule of a plan. */
export const backupOf = (
  plan: FirstPlan,
  host: Host,
  repository: Repository,
  source: { paths: string[]; excludes: string[] },
): ScheduleDraft => ({
  ...newSchedule('backup', { ...host, suggestedBackup: null }, { repositories: [repository], schedules: [] }),
  ...source,
  cron: cronOf({ every: 'day', ...plan.at }),
})

const later = ({ hour, minute }: Time, hours: number): Time => ({ hour: (hour + hours) % 24, minute })

/** The schedules that look after the repository once there is a backup schedule to thin. */
export function upkeepOf(
  plan: FirstPlan,
  host: Host,
  repository: Repository,
  backupScheduleId: Id,
): ScheduleDraft[] {
  const base = (kind: 'forget' | 'prune' | 'check') =>
    newSchedule(kind, { ...host, suggestedBackup: null }, { repositories: [repository], schedules: [] })
  return [
    ...(plan.keeps && mayForget(repository, plan)
      ? [
          {
            ...base('forget'),
            cron: cronOf({ every: 'day', ...later(plan.at, 5) }),
            forgets: [backupScheduleId],
          },
        ]
      : []),
    ...(plan.maintains || repository.maintenanceHost !== null
      ? [{ ...base('prune'), cron: cronOf({ every: 'week', day: 0, ...later(plan.at, 6) }) }]
      : []),
    ...(plan.checks
      ? [{ ...base('check'), cron: cronOf({ every: 'week', day: 6, ...later(plan.at, 6) }) }]
      : []),
  ]
}
