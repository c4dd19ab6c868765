// What makes a schedule unacceptable on this host: the rules both ends share, and what only the server knows.
import { and, asc, eq, inArray } from 'drizzle-orm'
import { PolicySummary } from '@restic-manager/contract/agent'
import { Refusal } from '@restic-manager/contract/refusal'
import { type ScheduleDraft, type ScheduleKind } from '@restic-manager/contract/schedule'
import { complaintsAboutSchedule, type ScheduleComplaint } from '@restic-manager/contract/schedule-complaints'
import type { Db } from '../db/open.ts'
import { hostRepositories, hosts, repositories, schedules } from '../db/schema.ts'

/** Throws `schedule_invalid` with everything that is wrong. `before`: the schedule that is edited. */
export async function checkSchedule(
  tx: Db,
  hostId: string,
  draft: ScheduleDraft,
  before?: { kind: ScheduleKind },
): Promise<void> {
  const complaints = [
    ...complaintsAboutSchedule(draft, { policy: await policyOf(tx, hostId), before }),
    ...(await complaintsAboutRepositories(tx, hostId, draft)),
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

/** The host's own policy as it told last; undefined before it first connected. */
async function policyOf(tx: Db, hostId: string): Promise<PolicySummary | undefined> {
  const [host] = await tx.select({ policy: hosts.policy }).from(hosts).where(eq(hosts.id, hostId))
  return PolicySummary.safeParse(host?.policy).data
}

async function complaintsAboutRepositories(
  tx: Db,
  hostId: string,
  { kind, repositoryIds }: ScheduleDraft,
): Promise<ScheduleComplaint[]> {
  if (repositoryIds.length === 0) return []
  const reachable = await tx
    .select({
      id: repositories.id,
      maintenanceHostId: repositories.maintenanceHostId,
      linked: hostRepositories.hostId,
    })
    .from(repositories)
    .leftJoin(
      hostRepositories,
      and(eq(hostRepositories.repositoryId, repositories.id), eq(hostRepositories.hostId, hostId)),
    )
    .where(inArray(repositories.id, repositoryIds))
    .orderBy(asc(repositories.id))
    .for('key share', { of: repositories }) // its removal sees what is planned now, or comes first
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
