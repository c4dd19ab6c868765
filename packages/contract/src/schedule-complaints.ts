// What makes a schedule unacceptable: the same rules on both ends, each with a stable code, a field and a sentence.
import { z } from 'zod'
import { complaintAboutTimetable, shortestInterval } from './cron.ts'
import {
  type AskedAccess,
  complaintsAboutHooks,
  complaintsByPolicy,
  type HostRules,
  type PolicyComplaint,
} from './policy-rule.ts'
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
  'repository_not_allowed',
  'environment_not_allowed',
  'bandwidth_not_allowed',
  'policy_not_followed',
  'manual_with_cron',
  'kind_is_immutable',
  'unsupported',
])
export type ScheduleComplaintCode = z.infer<typeof ScheduleComplaintCode>
export type ScheduleComplaint = { code: ScheduleComplaintCode; field: keyof ScheduleDraft; message: string }

/**
 * Everything that makes a schedule unacceptable; the same on both ends. `policy`: of its host, undefined where that has not told
 * one: its hooks are looked at here, the rest in `complaintsAboutPlaces`. `before` is the schedule that is edited.
 */
export function complaintsAboutSchedule(
  draft: ScheduleDraft,
  { policy, before }: { policy?: HostRules | undefined; before?: { kind: ScheduleKind } | undefined } = {},
): ScheduleComplaint[] {
  return [
    ...complaintsAboutTime(draft),
    ...complaintsAboutWork(draft),
    ...complaintsAboutPrograms(draft, policy),
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

function complaintsAboutPrograms(draft: ScheduleDraft, policy: HostRules | undefined): ScheduleComplaint[] {
  const given = (['preHook', 'postHook'] as const).filter(field => draft[field] !== undefined)
  const message = 'Only backups have hooks.'
  if (draft.kind !== 'backup')
    return given.map(field => ({ code: 'hooks_not_allowed' as const, field, message }))
  const complaints = policy === undefined ? [] : complaintsAboutHooks(policy, draft)
  return complaints.map(complaint => inSchedule(complaint, complaint.message))
}

/** The field of a schedule that a complaint belongs to. */
const inSchedule = ({ code, about }: PolicyComplaint, message: string): ScheduleComplaint => ({
  ...{ code, message },
  field:
    about === 'preHook' || about === 'postHook'
      ? about
      : about === 'uploadKibps' || about === 'downloadKibps'
        ? 'options'
        : 'repositoryIds',
})

/** One repository of a schedule: the rules of the host that would work on it, and that host's name when it is another one. */
export type PlannedPlace = { name: string; access: AskedAccess; rules: HostRules | undefined; host?: string }

/**
 * What the policies of hosts forbid of a schedule beyond its hooks. For whoever plans it: an agent takes a set that asks for
 * more than its limit, and looks at a place when a job comes.
 */
export function complaintsAboutPlaces(
  { options }: Pick<ScheduleDraft, 'options'>,
  { rules, places }: { rules: HostRules | undefined; places: readonly PlannedPlace[] },
): ScheduleComplaint[] {
  return [
    ...places.flatMap(({ name, access, rules, host }) =>
      complaintsByPolicy(rules, { access }).map(complaint => {
        const where = host === undefined ? name : `${name}, maintained by ${host}`
        return inSchedule(complaint, `${where}: ${complaint.message}`)
      }),
    ),
    ...complaintsByPolicy(rules, { options })
      .filter(({ code }) => code === 'bandwidth_not_allowed')
      .map(complaint => inSchedule(complaint, complaint.message)),
  ]
}
