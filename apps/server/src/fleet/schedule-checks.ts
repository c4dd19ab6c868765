// What makes a schedule unacceptable on this host: the rules both ends share, and what only the server knows.
import { and, asc, eq, inArray, isNull } from 'drizzle-orm'
import { Refusal } from '@restic-manager/contract/refusal'
import { type ScheduleDraft, type ScheduleKind } from '@restic-manager/contract/schedule'
import {
  complaintsAboutPlaces,
  complaintsAboutSchedule,
  type ScheduleComplaint,
} from '@restic-manager/contract/schedule-complaints'
import type { Db } from '../db/open.ts'
import { hostRepositories, hosts, repositories, schedules } from '../db/schema.ts'
import { placesOf, policiesOf } from './host-policies.ts'
import { choosePlace } from './placement.ts'

/** Throws `schedule_invalid` with everything that is wrong. `before`: the schedule that is edited. */
export async function checkSchedule(
  tx: Db,
  hostId: string,
  draft: ScheduleDraft,
  before?: { kind: ScheduleKind },
): Promise<void> {
  const reachable = await reachableOf(tx, hostId, draft)
  const { rules, places } = await placesOfSchedule(tx, { hostId, draft, reachable })
  const complaints = [
    ...complaintsAboutSchedule(draft, { policy: rules, before }),
    ...complaintsAboutRepositories(reachable, hostId, draft),
    ...complaintsAboutPlaces(draft, { rules, places }),
    ...(await complaintsAboutTargets(tx, hostId, draft)),
  ]
  const [first] = complaints
  if (first === undefined) return
  const more = complaints.length - 1
  throw new Refusal(
    'schedule_invalid',
    more === 0 ? first.message : `${first.message} (and ${more} more)`,
    complaints,
  )
}

type Reachable = Awaited<ReturnType<typeof reachableOf>>

/** The repositories of a draft. Each is held: its removal sees what is planned now, or comes first. */
const reachableOf = (tx: Db, hostId: string, { repositoryIds }: ScheduleDraft) =>
  tx
    .select({
      id: repositories.id,
      mayDelete: repositories.mayDelete,
      maintenanceHostId: repositories.maintenanceHostId,
      keeperId: hosts.id,
      linked: hostRepositories.hostId,
    })
    .from(repositories)
    .leftJoin(
      hostRepositories,
      and(eq(hostRepositories.repositoryId, repositories.id), eq(hostRepositories.hostId, hostId)),
    )
    .leftJoin(hosts, and(eq(hosts.id, repositories.maintenanceHostId), isNull(hosts.removedAt)))
    .where(inArray(repositories.id, repositoryIds))
    .orderBy(asc(repositories.id))
    .for('key share', { of: repositories })

/** Where each of its jobs would run, and what the hosts there told of their policies. */
async function placesOfSchedule(
  tx: Db,
  { hostId, draft, reachable }: { hostId: string; draft: ScheduleDraft; reachable: Reachable },
) {
  const placed = reachable.flatMap(({ id, linked, mayDelete, keeperId }) => {
    const rights = { hasAccess: linked !== null, mayDelete, maintenanceHostId: keeperId }
    const place = choosePlace({ kind: draft.kind, hostId }, rights)
    return 'refused' in place ? [] : [{ id, place }]
  })
  const policies = await policiesOf(tx, [hostId, ...placed.map(({ place }) => place.hostId)])
  const known = await placesOf(
    tx,
    placed.map(({ id }) => id),
  )
  const places = placed.flatMap(({ id, place }) => {
    const [repository, host] = [known.get(id), policies.get(place.hostId)]
    if (repository === undefined || host === undefined) return []
    const access = place.elevated ? repository.elevated : repository.everyday
    const elsewhere = place.forHostId === undefined ? {} : { host: host.name }
    return [{ name: repository.name, access, rules: host.rules, ...elsewhere }]
  })
  return { rules: policies.get(hostId)?.rules, places }
}

function complaintsAboutRepositories(
  reachable: Reachable,
  hostId: string,
  { kind, repositoryIds }: ScheduleDraft,
): ScheduleComplaint[] {
  if (repositoryIds.length === 0) return []
  const usable = new Set(
    reachable
      .filter(
        ({ linked, maintenanceHostId }) =>
          linked !== null || (kind !== 'backup' && maintenanceHostId === hostId),
      )
      .map(({ id }) => id),
  )
  if (repositoryIds.every(id => usable.has(id.toLowerCase()))) return []
  const message =
    kind === 'backup'
      ? 'This host has no access to one of the repositories. Give it access first, or choose another.'
      : 'This host has no access to one of the repositories and is not its maintenance host. Choose another.'
  return [{ code: 'missing_repository', field: 'repositoryIds', message }]
}

/** A deleted backup schedule still counts: its snapshots are there and may be thinned. */
async function complaintsAboutTargets(
  tx: Db,
  hostId: string,
  { kind, forgets = [] }: ScheduleDraft,
): Promise<ScheduleComplaint[]> {
  if (kind !== 'forget' || forgets.length === 0 || (await areBackupsOf(tx, hostId, forgets))) return []
  const message = 'Choose backup schedules of this host only: these are the snapshots that are thinned.'
  return [{ code: 'missing_targets', field: 'forgets', message }]
}

/** Whether all of these are, or were, backup schedules of the host. */
export async function areBackupsOf(tx: Db, hostId: string, scheduleIds: readonly string[]): Promise<boolean> {
  const wanted = new Set(scheduleIds.map(id => id.toLowerCase()))
  const found = await tx
    .select({ id: schedules.id })
    .from(schedules)
    .where(
      and(eq(schedules.hostId, hostId), eq(schedules.kind, 'backup'), inArray(schedules.id, [...wanted])),
    )
  return found.length === wanted.size
}
