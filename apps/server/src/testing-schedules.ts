// For tests only: schedules made and acked through the verbs that operators and agents use, and what hosts say of their slots.
import { eq } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import type { JobFinished } from '@restic-manager/contract/job'
import { toInstant } from '@restic-manager/contract/scalars'
import type { ScheduleDraft, ScheduleFire, ScheduleNotRun } from '@restic-manager/contract/schedule'
import { slotJobId } from '@restic-manager/contract/slots'
import { timing } from '@restic-manager/contract/timing'
import type { Db } from './db/open.ts'
import { jobs, schedules } from './db/schema.ts'
import { fireSchedule } from './fleet/fires.ts'
import { answerCommand, finishJob } from './fleet/job-reports.ts'
import { keepNotRun } from './fleet/not-run.ts'
import { ackSchedules, scheduleSetFor } from './fleet/schedule-sets.ts'
import { createSchedule } from './fleet/schedules.ts'
import type { TestHost } from './testing-fleet.ts'

/** A backup of /srv every hour. */
export const hourly = (repositoryIds: string[], over: Partial<ScheduleDraft> = {}): ScheduleDraft => ({
  name: 'hourly',
  kind: 'backup',
  repositoryIds,
  cron: '0 * * * *',
  timeZone: 'UTC',
  paths: ['/srv'],
  enabled: true,
  manual: false,
  catchUp: 'once',
  overlap: 'skip',
  jitterSeconds: 0,
  ...over,
})

const thisHour = Math.floor(Date.now() / 3_600_000)

/** The full hour, so many hours before the one in which the tests began. */
export const hoursAgo = (hours: number): string => toInstant((thisHour - hours) * 3_600_000)

/** Plans on a host as an operator does. `since`: as if it had been made then. */
export async function planOn(
  db: Db,
  host: TestHost,
  { since, ...over }: Partial<ScheduleDraft> & { since?: string } = {},
): Promise<string> {
  const schedule = hourly([host.repositoryId], over)
  const { scheduleId } = await createSchedule(db, { requestId: newId(), hostId: host.hostId, schedule })
  if (since !== undefined) await backdate(db, scheduleId, since)
  return scheduleId
}

/** As if the last edit had been made then. */
export async function backdate(db: Db, scheduleId: string, since: string): Promise<void> {
  const at = new Date(since)
  await db.update(schedules).set({ createdAt: at, updatedAt: at }).where(eq(schedules.id, scheduleId))
}

/** The host applies what there is and says so. */
export async function applySet(
  db: Db,
  host: TestHost,
  appliedAt: string = toInstant(Date.now()),
  rejected: { scheduleId: string; code: string; reason: string }[] = [],
): Promise<number> {
  const { version } = await scheduleSetFor(db, host.sender)
  await ackSchedules(db, host.sender, { version, appliedAt, rejected })
  return version
}

/** A fire as an agent writes it down. `repositoryIds`: it runs these by itself. */
export function fireOf(
  host: TestHost,
  scheduleId: string,
  scheduledAt: string,
  repositoryIds?: string[],
): ScheduleFire {
  return {
    ...host.fact('first'),
    scheduleId,
    scheduleVersion: 1,
    scheduledAt,
    ...(repositoryIds === undefined
      ? { decidedBy: 'server' }
      : {
          decidedBy: 'agent',
          jobs: repositoryIds.map(repositoryId => ({
            jobId: slotJobId(scheduleId, scheduledAt, repositoryId),
            repositoryId,
          })),
        }),
  }
}

/** Sends a fire and answers what the server says of each repository. */
export const fire = async (db: Db, host: TestHost, sent: ScheduleFire) =>
  (await fireSchedule(db, host.sender, sent, timing)).jobs

/** Sends a range of slots that did not run. */
export const tellNotRun = (
  db: Db,
  host: TestHost,
  over: Pick<ScheduleNotRun, 'scheduleId' | 'from' | 'to' | 'count'> & Partial<ScheduleNotRun>,
) =>
  keepNotRun(
    db,
    host.sender,
    {
      ...host.fact(),
      scheduleVersion: 1,
      repositoryIds: [host.repositoryId],
      outcome: 'missed',
      reason: 'host_was_off',
      ...over,
    },
    timing,
  )

/** Every row of a schedule, oldest slot first. */
export const rowsOf = (db: Db, scheduleId: string) =>
  db.select().from(jobs).where(eq(jobs.scheduleId, scheduleId)).orderBy(jobs.scheduledFor, jobs.repositoryId)

/** The id of the job of a slot on the host's own repository. */
export const idOf = (host: TestHost, scheduleId: string, slot: string) =>
  slotJobId(scheduleId, slot, host.repositoryId)

/** What names that job in every message about it. */
export const headerOf = (host: TestHost, scheduleId: string, scheduledAt: string) => ({
  jobId: idOf(host, scheduleId, scheduledAt),
  kind: 'backup' as const,
  repositoryId: host.repositoryId,
  scheduleId,
  scheduledAt,
})

/** The host takes the slot's job on. */
export const acceptSlot = (db: Db, host: TestHost, scheduleId: string, slot: string) =>
  answerCommand(db, host.sender, {
    ...host.fact('first'),
    ...headerOf(host, scheduleId, slot),
    accepted: true,
  })

/** The slot's job ends, well unless told otherwise. */
export const finishSlot = (
  db: Db,
  host: TestHost,
  scheduleId: string,
  slot: string,
  over: Partial<JobFinished> = {},
) =>
  finishJob(db, host.sender, {
    ...host.fact(),
    ...headerOf(host, scheduleId, slot),
    status: 'succeeded',
    finishedAt: toInstant(Date.now()),
    warnings: [],
    lastLogSeq: -1,
    ...over,
  })
