// Schedules run by hand: once now, besides the slots, and the preview of what a retention would let go of.
import { and, eq, inArray, isNull } from 'drizzle-orm'
import type { z } from 'zod'
import { newId } from '@restic-manager/contract/ids'
import { Refusal } from '@restic-manager/contract/refusal'
import type { RetentionPreviewRequest, ScheduleRunNowRequest } from '@restic-manager/contract/requests'
import { complaintAboutRetention } from '@restic-manager/contract/retention'
import { specOfSchedule } from '@restic-manager/contract/schedule'
import { slotJobId, toSlot } from '@restic-manager/contract/slots'
import type { Timing } from '@restic-manager/contract/timing'
import type { Db } from '../db/open.ts'
import { jobs, schedules } from '../db/schema.ts'
import { checkWork } from './host-policies.ts'
import { checkHost, refusalOf } from './jobs.ts'
import { type NewJob, queueJobs } from './new-jobs.ts'
import { placeJob } from './placement.ts'
import { nextPart } from './rotation.ts'
import { areBackupsOf } from './schedule-checks.ts'
import { scheduleOf, type ScheduleRow } from './schedule-rows.ts'
import { scheduleNotFound } from './schedules.ts'

/** Who asked for a preview does not wait longer for a host that is away. */
const PREVIEW_LIFE_MS = 10 * 60_000

type Asked = { requestedBy: string; timing: Timing }

/** One request makes several jobs: the id of each is derived from it, so that a repeat makes none. */
const jobOfRequest = (requestId: string, repositoryId: string) =>
  slotJobId(requestId, toSlot(0), repositoryId)

/**
 * Runs a schedule now, paused or not: one job for each repository, in their order. A repeat with the same request id starts nothing
 * and answers the same jobs. Throws `schedule_not_found`, `host_quarantined`, `request_reused`, or why one of the repositories cannot be used.
 */
export async function runScheduleNow(
  db: Db,
  { requestId, scheduleId }: z.infer<typeof ScheduleRunNowRequest>,
  { requestedBy, timing }: Asked,
): Promise<{ jobIds: string[] }> {
  return db.transaction(async tx => {
    const [row] = await tx
      .select()
      .from(schedules)
      .where(and(eq(schedules.id, scheduleId), isNull(schedules.deletedAt)))
    if (row === undefined) throw scheduleNotFound()
    const jobIds = row.repositoryIds.map(id => jobOfRequest(requestId, id))
    const before = await tx
      .select({ id: jobs.id, scheduleId: jobs.scheduleId })
      .from(jobs)
      .where(inArray(jobs.id, jobIds))
    if (before.some(job => job.scheduleId !== row.id))
      throw new Refusal('request_reused', 'This request id has started another schedule. Send a new one.')
    if (before.length > 0) return { jobIds: jobIds.filter(id => before.some(job => job.id === id)) }
    await checkHost(tx, row.hostId)
    await queueJobs(tx, await jobsOfRun(tx, row, { requestId, requestedBy }), timing)
    return { jobIds }
  })
}

async function jobsOfRun(
  tx: Db,
  row: ScheduleRow,
  { requestId, requestedBy }: { requestId: string; requestedBy: string },
): Promise<NewJob[]> {
  const rotation = row.definition.options?.readRotation
  const part = rotation === undefined ? 1 : await nextPart(tx, row.id, rotation)
  const spec = specOfSchedule(scheduleOf(row), { hostId: row.hostId, part })
  const wanted: NewJob[] = []
  for (const repositoryId of row.repositoryIds) {
    const place = await placeJob(tx, { kind: row.kind, hostId: row.hostId, repositoryId })
    if ('refused' in place) throw refusalOf(place)
    await checkWork(tx, place, { repositoryId, spec })
    const id = jobOfRequest(requestId, repositoryId)
    wanted.push(
      Object.assign(place, {
        id,
        requestId: id,
        requestedBy,
        repositoryId,
        kind: row.kind,
        spec,
        scheduleId: row.id,
      }),
    )
  }
  return wanted
}

/**
 * Asks a host what a retention would let go of, saved or not: a dry run that changes nothing. The answer names the job; its stats
 * hold the preview. A repeat starts nothing. Throws `schedule_invalid` for a retention or targets that could not be saved either.
 */
export async function previewRetention(
  db: Db,
  { requestId, hostId, repositoryId, retention, scheduleIds }: z.infer<typeof RetentionPreviewRequest>,
  { requestedBy, timing }: Asked,
): Promise<{ jobId: string }> {
  const complaint = complaintAboutRetention(retention)
  if (complaint !== undefined)
    throw new Refusal('schedule_invalid', complaint.message, [{ ...complaint, field: 'retention' }])
  return db.transaction(async tx => {
    const [before] = await tx
      .select({ jobId: jobs.id, repositoryId: jobs.repositoryId, kind: jobs.kind })
      .from(jobs)
      .where(eq(jobs.requestId, requestId))
    if (before?.repositoryId === repositoryId.toLowerCase() && before.kind === 'forget')
      return { jobId: before.jobId }
    if (before !== undefined)
      throw new Refusal('request_reused', 'This request id has started another job. Send a new one.')
    await checkHost(tx, hostId)
    if (!(await areBackupsOf(tx, hostId, scheduleIds))) {
      const message = 'Choose backup schedules of this host only.'
      throw new Refusal('schedule_invalid', message, [{ code: 'missing_targets', field: 'forgets', message }])
    }
    const place = await placeJob(tx, { kind: 'forget', hostId, repositoryId, dryRun: true })
    if ('refused' in place) throw refusalOf(place)
    const targets = [...new Set(scheduleIds)].map(scheduleId => ({ hostId, scheduleId }))
    const job = { id: newId(), requestId, requestedBy, repositoryId, kind: 'forget' as const }
    const spec = { retention, dryRun: true, targets }
    await checkWork(tx, place, { repositoryId, spec })
    const queuedLife = Math.min(timing.queuedLife, PREVIEW_LIFE_MS)
    await queueJobs(tx, [Object.assign(place, job, { spec })], { ...timing, queuedLife })
    return { jobId: job.id }
  })
}
