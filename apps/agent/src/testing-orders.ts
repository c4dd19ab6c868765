// For tests only: orders as a server gives them.
import type { AgentOrder } from '@restic-manager/contract/agent'
import { newId } from '@restic-manager/contract/ids'
import type { ConfigUpdate } from '@restic-manager/contract/repository'
import {
  Schedule,
  specOfSchedule,
  type ScheduleFire,
  type ScheduleSet,
} from '@restic-manager/contract/schedule'
import { slotJobId } from '@restic-manager/contract/slots'

export const repositoryId = newId()

/** A configuration with one local repository. */
export function configOrder(change: Partial<ConfigUpdate> = {}): AgentOrder {
  const repository = {
    repositoryId,
    url: '/srv/repository',
    password: 'a password of tests',
    mayDelete: false,
  }
  return { order: 'config.update', version: 1, repositories: [repository], maxConcurrentRuns: 1, ...change }
}

/** Backs up `/etc/hostname`: the fake restic reads nothing of it, and it must exist. */
export function backupOrder(jobId = newId()): AgentOrder & { order: 'command.run' } {
  const spec = { paths: ['/etc/hostname'] }
  return { order: 'command.run', jobId, kind: 'backup', repositoryId, configVersion: 1, spec }
}

type RunOrder = AgentOrder & { order: 'command.run' }

/** A backup of `/etc/hostname` every hour in UTC. */
export function hourlyBackup(change: Partial<Schedule> = {}): Schedule {
  return {
    id: newId(),
    name: 'hourly',
    kind: 'backup',
    repositoryIds: [repositoryId],
    cron: '0 * * * *',
    timeZone: 'UTC',
    paths: ['/etc/hostname'],
    enabled: true,
    manual: false,
    catchUp: 'once',
    overlap: 'skip',
    jitterSeconds: 0,
    ...change,
  }
}

/** The orders by which a server has the host run a slot of its plan. None for a schedule that is not in it. */
export function ordersOfSlot(plan: ScheduleSet | undefined, fire: ScheduleFire, hostId: string): RunOrder[] {
  const entry = plan?.schedules.find(each => each.id === fire.scheduleId)
  if (entry === undefined) return []
  const schedule = Schedule.parse(entry)
  const { scheduleId, scheduledAt } = fire
  const spec = specOfSchedule(schedule, { hostId })
  const orderOn = (repositoryId: string) => ({
    ...{ order: 'command.run', repositoryId, configVersion: 0, scheduleId, scheduledAt },
    ...{ jobId: slotJobId(scheduleId, scheduledAt, repositoryId), kind: schedule.kind, spec },
  })
  return schedule.repositoryIds.map(repositoryId => orderOn(repositoryId) as RunOrder)
}
