// What the schedule editor holds: where it begins, what of it is sent, what is wrong with it, and what was changed.
import type { Id } from '@restic-manager/contract/ids'
import { optionsOf, ScheduleDraft, type ScheduleKind } from '@restic-manager/contract/schedule'
import { complaintsByPolicy, type HostRules } from '@restic-manager/contract/policy-rule'
import {
  complaintsAboutPlaces,
  complaintsAboutSchedule,
  type PlannedPlace,
} from '@restic-manager/contract/schedule-complaints'
import type { HostView, RepositoryView, ScheduleView } from '@restic-manager/contract/views'
import { defaultExcludes, defaultPaths } from './backup-defaults.ts'
import { tidyRetention, usualRetention } from './retention-words.ts'
import { cronOf, nightTime } from './timetable.ts'

type Host = Pick<HostView, 'id' | 'os' | 'timeZone' | 'policy' | 'suggestedBackup'>
type Repository = Pick<RepositoryView, 'id' | 'mayDelete'>

const names = {
  backup: 'Backup',
  forget: 'Retention',
  prune: 'Free space',
  check: 'Check',
} as const satisfies Record<ScheduleKind, string>

function freeName(kind: ScheduleKind, taken: readonly string[]): string {
  const wish = names[kind]
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? wish : `${wish} ${n}`
    if (!taken.includes(name)) return name
  }
}

function usualCron(kind: ScheduleKind, hostId: Id): string {
  const { hour, minute } = nightTime(hostId)
  switch (kind) {
    case 'backup':
      return cronOf({ every: 'day', hour, minute })
    // After the backups of the night.
    case 'forget':
      return cronOf({ every: 'day', hour: hour + 5, minute })
    case 'prune':
      return cronOf({ every: 'week', day: 0, hour: hour + 6, minute })
    case 'check':
      return cronOf({ every: 'week', day: 6, hour: hour + 6, minute })
  }
}

/** A schedule that is ready to be saved but for what only its operator knows. */
export function newSchedule(
  kind: ScheduleKind,
  host: Host,
  { repositories, schedules }: { repositories: Repository[]; schedules: ScheduleView[] },
): ScheduleDraft {
  const backups = schedules.filter(({ schedule }) => schedule.kind === 'backup')
  const used = new Set(backups.flatMap(({ schedule }) => schedule.repositoryIds))
  const suggested = kind === 'backup' ? host.suggestedBackup : null
  const chosen =
    suggested !== null
      ? [suggested.repositoryId]
      : kind === 'forget' && used.size > 0
        ? repositories.filter(({ id }) => used.has(id)).map(({ id }) => id)
        : repositories.slice(0, 1).map(({ id }) => id)
  const appendOnly = repositories.some(({ id, mayDelete }) => chosen.includes(id) && !mayDelete)
  return {
    name: freeName(
      kind,
      schedules.map(({ schedule }) => schedule.name),
    ),
    kind,
    repositoryIds: chosen,
    cron: usualCron(kind, host.id),
    timeZone: host.timeZone ?? 'UTC',
    enabled: true,
    manual: false,
    catchUp: 'once',
    overlap: 'skip',
    jitterSeconds: kind === 'backup' ? 900 : 0,
    retry: { count: 2, delaySeconds: 600 },
    ...(kind === 'backup' && {
      paths: suggested?.paths ?? defaultPaths(host),
      excludes: suggested?.excludes ?? defaultExcludes,
    }),
    ...(kind === 'forget' && { retention: usualRetention(appendOnly), forgets: backups.map(({ id }) => id) }),
  }
}

const isSaid = (value: unknown): boolean =>
  value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0)

const filled = <K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } =>
  isSaid(value) ? ({ [key]: value } as { [key in K]: V }) : {}

/** What is sent: without what its kind does not take, and without what says nothing. */
export function tidySchedule(draft: ScheduleDraft): ScheduleDraft {
  const { kind, manual } = draft
  const options = Object.fromEntries(
    optionsOf[kind].flatMap(name => (isSaid(draft.options?.[name]) ? [[name, draft.options?.[name]]] : [])),
  )
  return {
    name: draft.name.trim(),
    kind,
    repositoryIds: draft.repositoryIds,
    ...(!manual && { cron: (draft.cron ?? '').trim() }),
    timeZone: draft.timeZone,
    ...(kind === 'backup' && {
      paths: draft.paths ?? [],
      ...filled('excludes', draft.excludes),
      ...filled('tags', draft.tags),
      ...filled('preHook', draft.preHook),
      ...filled('postHook', draft.postHook),
    }),
    ...(kind === 'forget' && {
      retention: tidyRetention(draft.retention ?? {}),
      forgets: draft.forgets ?? [],
    }),
    ...(Object.keys(options).length > 0 && { options }),
    enabled: draft.enabled,
    manual,
    catchUp: draft.catchUp,
    overlap: draft.overlap,
    jitterSeconds: draft.jitterSeconds,
    ...filled('retry', draft.retry),
    ...filled('timeoutMinutes', draft.timeoutMinutes),
  }
}

/** Complaints by field; those about one option are under `options.` and its name. */
export type Complaints = Readonly<Record<string, string | undefined>>

/** What every section of the editor gets: the draft, how to change it, and the complaints that are shown by now. */
export type SectionProps = {
  draft: ScheduleDraft
  change: (next: Partial<ScheduleDraft>) => void
  complaints: Complaints
}

/** What is wrong with a draft, in the words of the server's own rules. */
export function complaintsAboutDraft(
  draft: ScheduleDraft,
  known: {
    policy?: HostRules | undefined
    places?: readonly PlannedPlace[]
    before?: { kind: ScheduleKind } | undefined
  } = {},
): Complaints {
  const tidy = tidySchedule(draft)
  const complaints: Record<string, string> = {}
  if (tidy.name === '') complaints['name'] = 'Give the schedule a name.'
  for (const { field, message } of complaintsAboutSchedule(tidy, known)) complaints[field] ??= message
  for (const { field, message } of complaintsAboutPlaces(
    {},
    { rules: undefined, places: known.places ?? [] },
  ))
    complaints[field] ??= message
  for (const { code, about, message } of complaintsByPolicy(known.policy, { options: tidy.options }))
    if (code === 'bandwidth_not_allowed') complaints[`options.${about}`] ??= message
  for (const { path, message } of ScheduleDraft.safeParse(tidy).error?.issues ?? []) {
    const [field, inner] = path.map(String)
    if (field === undefined) continue
    const name = field === 'options' && inner !== undefined ? `options.${inner}` : field
    const value = path.reduce<unknown>(
      (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
      tidy,
    )
    const ownRule = /^(must|is|has|may|needs)\b/.test(message)
    complaints[name] ??= ownRule && typeof value === 'string' ? `${value} ${message}.` : message
  }
  return complaints
}

const fieldWords = {
  name: 'name',
  kind: 'kind',
  repositoryIds: 'repositories',
  cron: 'time',
  timeZone: 'time zone',
  paths: 'folders',
  excludes: 'what is left out',
  tags: 'tags',
  retention: 'what is kept',
  options: 'options',
  preHook: 'hook before',
  postHook: 'hook after',
  enabled: 'paused or not',
  manual: 'planned or manual',
  catchUp: 'missed slots',
  overlap: 'overlap',
  jitterSeconds: 'spread',
  retry: 'retries',
  timeoutMinutes: 'time limit',
  forgets: 'whose snapshots',
} as const satisfies Record<keyof ScheduleDraft, string>

const sorted = (value: unknown): unknown =>
  typeof value !== 'object' || value === null || Array.isArray(value)
    ? value
    : Object.fromEntries(
        Object.entries(value)
          .toSorted(([a], [b]) => a.localeCompare(b))
          .map(([key, inner]) => [key, sorted(inner)]),
      )

/** The fields in which two drafts differ, as words. */
export function changesBetween(before: ScheduleDraft, after: ScheduleDraft): string[] {
  const [old, now] = [tidySchedule(before), tidySchedule(after)]
  return (Object.keys(fieldWords) as (keyof ScheduleDraft)[])
    .filter(field => JSON.stringify(sorted(old[field])) !== JSON.stringify(sorted(now[field])))
    .map(field => fieldWords[field])
}

/** Fields that only make sense together: who changed one of them has the word on both. */
const pairs: Partial<Record<keyof ScheduleDraft, keyof ScheduleDraft>> = { cron: 'manual', manual: 'cron' }

/** A draft that began from `base`, taken over to `newest`: what was changed in it stays, the rest is as it was saved since. */
export function rebaseDraft(base: ScheduleDraft, newest: ScheduleDraft, draft: ScheduleDraft): ScheduleDraft {
  const differs = (field: keyof ScheduleDraft) =>
    JSON.stringify(sorted(base[field])) !== JSON.stringify(sorted(draft[field]))
  const mine = (Object.keys(fieldWords) as (keyof ScheduleDraft)[]).filter(field => {
    const pair = pairs[field]
    return differs(field) || (pair !== undefined && differs(pair))
  })
  return { ...newest, ...Object.fromEntries(mine.map(field => [field, draft[field]])) }
}
