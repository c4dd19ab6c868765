// What makes a schedule unacceptable: the same rules on both ends, each with a stable code, a field and a sentence.
import { z } from 'zod'
import { complaintAboutTimetable, shortestInterval } from './cron.ts'
import { complaintAboutRetention } from './retention.ts'
import { optionsOf, type ScheduleDraft, type ScheduleKind, type ScheduleOptions } from './schedule.ts'

/** Stable codes of what makes a schedule unacceptable. `unsupported`: the agent is too old for it. */
export const ScheduleComplaintCode = z.enum([
  'missing_retention',
  'unsafe_retention',
  'missing_paths',
  'missing_repository',
  'missing_targets',
  'invalid_cron',
  'invalid_time_zone',
  'invalid_jitter',
  'invalid_options',
  'hooks_not_allowed',
  'manual_with_cron',
  'kind_is_immutable',
  'unsupported',
])
export type ScheduleComplaintCode = z.infer<typeof ScheduleComplaintCode>
export type ScheduleComplaint = { code: ScheduleComplaintCode; field: keyof ScheduleDraft; message: string }

/** What the host's policy says of hooks; absent where it is not known yet. */
export type HookPolicy = { hooks: 'off' | 'listed' | 'inline' }

/** Everything that makes a schedule unacceptable; the same on both ends. `before` is the schedule that is edited. */
export function complaintsAboutSchedule(
  draft: ScheduleDraft,
  { policy, before }: { policy?: HookPolicy | undefined; before?: { kind: ScheduleKind } | undefined } = {},
): ScheduleComplaint[] {
  return [
    ...complaintsAboutTime(draft),
    ...complaintsAboutWork(draft),
    ...complaintsAboutHooks(draft, policy),
    ...(before !== undefined && before.kind !== draft.kind
      ? [
          {
            code: 'kind_is_immutable' as const,
            field: 'kind' as const,
            message: `The kind of a schedule cannot be changed from ${before.kind} to ${draft.kind}. Create another one.`,
          },
        ]
      : []),
  ]
}

function complaintsAboutTime(draft: ScheduleDraft): ScheduleComplaint[] {
  const { cron, timeZone, manual, jitterSeconds } = draft
  if (manual)
    return cron === undefined
      ? []
      : [
          {
            code: 'manual_with_cron',
            field: 'cron',
            message: 'A manual schedule has no cron. Remove it, or plan it.',
          },
        ]
  const timetable = { cron: cron ?? '', timeZone }
  const complaint = complaintAboutTimetable(timetable)
  if (complaint !== undefined)
    return [{ ...complaint, field: complaint.code === 'invalid_cron' ? 'cron' : 'timeZone' }]
  if (jitterSeconds === 0) return [] // counting through a timetable takes long: a host may have a thousand
  const half = shortestInterval(timetable) / 2
  if (jitterSeconds * 1_000 < half) return []
  return [
    {
      code: 'invalid_jitter',
      field: 'jitterSeconds',
      message: `The spread must be less than half the shortest time between two runs, which is ${Math.floor(half / 1_000)} seconds.`,
    },
  ]
}

function complaintsAboutWork(draft: ScheduleDraft): ScheduleComplaint[] {
  const complaints: ScheduleComplaint[] = []
  const { kind } = draft
  if (draft.repositoryIds.length === 0 || new Set(draft.repositoryIds).size < draft.repositoryIds.length)
    complaints.push({
      code: 'missing_repository',
      field: 'repositoryIds',
      message: 'Choose at least one repository, and each only once.',
    })
  if (kind === 'backup' && (draft.paths ?? []).length === 0)
    complaints.push({
      code: 'missing_paths',
      field: 'paths',
      message: 'Choose at least one folder to back up.',
    })
  if (kind === 'forget') {
    const complaint = complaintAboutRetention(draft.retention)
    if (complaint !== undefined) complaints.push({ ...complaint, field: 'retention' })
    if ((draft.forgets ?? []).length === 0)
      complaints.push({
        code: 'missing_targets',
        field: 'forgets',
        message: 'Choose at least one backup schedule whose snapshots are thinned.',
      })
  }
  const takes = optionsOf[kind]
  const given = Object.entries(draft.options ?? {}).filter(([, value]) => value !== undefined)
  const stray = given.map(([name]) => name as keyof ScheduleOptions).find(name => !takes.includes(name))
  if (stray !== undefined)
    complaints.push({
      code: 'invalid_options',
      field: 'options',
      message: `${stray} is no option of a ${kind} schedule. Accepted: ${takes.join(', ') || 'none'}.`,
    })
  const { options = {} } = draft
  if (options.maxUnusedPercent !== undefined && options.maxUnusedBytes !== undefined)
    complaints.push({
      code: 'invalid_options',
      field: 'options',
      message: 'Give unused space as a share or as a size, not both.',
    })
  if (options.readPercent !== undefined && options.readRotation !== undefined)
    complaints.push({
      code: 'invalid_options',
      field: 'options',
      message: 'Read a share each time or everything in turns, not both.',
    })
  return complaints
}

function complaintsAboutHooks(draft: ScheduleDraft, policy: HookPolicy | undefined): ScheduleComplaint[] {
  return (['preHook', 'postHook'] as const).flatMap(field => {
    const hook = draft[field]
    if (hook === undefined) return []
    const refused = (message: string) => [{ code: 'hooks_not_allowed' as const, field, message }]
    if (draft.kind !== 'backup') return refused('Only backups have hooks.')
    if (policy?.hooks === 'off')
      return refused('The policy file of this host allows no hooks. Its owner can change that on the host.')
    if (policy?.hooks === 'listed' && hook.name === undefined)
      return refused('The policy file of this host allows only the programs in its folder of hooks, by name.')
    return []
  })
}
