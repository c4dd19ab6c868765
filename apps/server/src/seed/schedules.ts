// What is planned on a believable fleet: backups of several rhythms, retention, prunes and checks, enough for the jobs that are wanted.
import type { ScheduleDraft, ScheduleKind } from '@restic-manager/contract/schedule'
import type { Chance } from './chance.ts'
import type { PlannedHost, PlannedRepository } from './plan.ts'

export type PlannedSchedule = {
  id: string
  hostId: string
  draft: ScheduleDraft & { kind: ScheduleKind; cron: string }
  repositories: number[]
  /** Slots of a day, about. */
  perDay: number
}

/** Rhythms from the rarest on: how often a day, and the five fields. */
const rhythms = [
  {
    perDay: 1,
    cron: (chance: Chance) => `${5 * chance.whole(0, 11)} ${chance.pick([0, 1, 1, 2, 2, 3, 4, 22])} * * *`,
  },
  {
    perDay: 2,
    cron: (chance: Chance) => `${5 * chance.whole(0, 11)} ${chance.pick(['0,12', '1,13', '6,18'])} * * *`,
  },
  { perDay: 4, cron: (chance: Chance) => `${10 * chance.whole(0, 5)} */6 * * *` },
  { perDay: 24, cron: (chance: Chance) => `${5 * chance.whole(0, 11)} * * * *` },
  { perDay: 96, cron: () => '*/15 * * * *' },
] as const

/** At first: mostly once a day. Databases more often. */
const firstRhythm = (chance: Chance, { tags }: PlannedHost) =>
  tags.includes('database') ? chance.pick([2, 2, 3]) : chance.pick([0, 0, 0, 0, 0, 0, 1, 1])

type Wish = { jobs: number; days: number; maintenance: (repository: number) => string | null }

/** The plan of a fleet. Hosts are made to run more often, one after another, until their slots of so many days come to `jobs`. */
export function planSchedules(
  chance: Chance,
  hosts: readonly PlannedHost[],
  repositories: readonly PlannedRepository[],
  { jobs, days, maintenance }: Wish,
): PlannedSchedule[] {
  const planned = hosts.filter(({ state }) => state !== 'waiting')
  const rhythm = new Map(planned.map(host => [host.id, firstRhythm(chance, host)]))
  const slotsOf = (host: PlannedHost) =>
    (rhythms[rhythm.get(host.id) ?? 0]?.perDay ?? 1) * (host.second === null ? 1 : 2)
  let daily = planned.reduce((sum, host) => sum + slotsOf(host), 0)
  // What the first and the last day lack of slots is made up for.
  const wanted = (jobs * 1.05) / Math.max(1, days - 1)
  for (let turn = 0; daily < wanted && turn < 50 * planned.length; turn += 1) {
    const host = planned[chance.whole(0, planned.length - 1)]
    const now = host === undefined ? rhythms.length : (rhythm.get(host.id) ?? 0)
    if (host === undefined || now + 1 >= rhythms.length) continue
    daily -= slotsOf(host)
    rhythm.set(host.id, now + 1)
    daily += slotsOf(host)
  }
  return planned.flatMap(host => {
    const kind = rhythms[rhythm.get(host.id) ?? 0] ?? rhythms[0]
    const backup = backupOf(chance, host, kind.cron(chance), kind.perDay)
    return [backup].concat(upkeepOf(chance, host, { backup, repositories, maintenance }))
  })
}

function backupOf(chance: Chance, host: PlannedHost, cron: string, perDay: number): PlannedSchedule {
  const places = [host.repository, ...(host.second === null ? [] : [host.second])]
  const common = commonOf(host, perDay > 4 ? 120 : 900)
  return {
    ...{ id: chance.id(), hostId: host.id, repositories: places, perDay },
    draft: {
      ...common,
      ...{ name: host.tags.includes('database') ? 'Dumps' : 'System and data', kind: 'backup', cron },
      paths: host.paths,
      excludes: ['*.tmp', '/var/cache'],
      retry: { count: 1, delaySeconds: 900 },
    },
  }
}

const commonOf = ({ site }: PlannedHost, jitterSeconds: number) => ({
  ...{ repositoryIds: [], timeZone: site.timeZone, enabled: true, manual: false, jitterSeconds },
  catchUp: 'once' as const,
  overlap: 'skip' as const,
})

type Around = {
  backup: PlannedSchedule
  repositories: readonly PlannedRepository[]
  maintenance: Wish['maintenance']
}

/** Retention for every second host, and on the maintenance host of a repository its prune and its check. */
function upkeepOf(
  chance: Chance,
  host: PlannedHost,
  { backup, repositories, maintenance }: Around,
): PlannedSchedule[] {
  const common = commonOf(host, 0)
  const minute = 5 * chance.whole(0, 11)
  const upkeep: PlannedSchedule[] = []
  const plan = (
    perDay: number,
    on: number[],
    draft: Pick<PlannedSchedule['draft'], 'name' | 'kind' | 'cron' | 'options' | 'retention' | 'forgets'>,
  ) =>
    upkeep.push({
      ...{ id: chance.id(), hostId: host.id, repositories: on, perDay },
      draft: { ...common, ...draft },
    })
  if (chance.percent(50))
    plan(1 / 7, backup.repositories, {
      ...{ name: 'Keep 7, 4 and 12', kind: 'forget', cron: `${minute} 5 * * ${chance.whole(0, 6)}` },
      retention: { daily: 7, weekly: 4, monthly: 12 },
      forgets: [backup.id],
    })
  const kept = repositories.flatMap((_, place) => (maintenance(place) === host.id ? [place] : []))
  if (kept.length > 0) {
    plan(1 / 7, kept, { name: 'Make room', kind: 'prune', cron: `${minute} 9 * * 6` })
    plan(1 / 7, kept, {
      ...{ name: 'Verify in seven parts', kind: 'check', cron: `${minute} 12 * * 0` },
      options: { readRotation: 7 },
    })
  }
  return upkeep
}
