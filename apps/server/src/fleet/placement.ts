// Where a job runs, and with which of the two credentials.
import { and, eq, isNull } from 'drizzle-orm'
import type { JobKind } from '@restic-manager/contract/job'
import type { Db } from '../db/open.ts'
import { hostRepositories, hosts, repositories } from '../db/schema.ts'

/** `elevated`: with the admin credential, lent for this one run. `forHostId`: whose job it is, when another host runs it. */
export type Place = { hostId: string; elevated: boolean; forHostId?: string }

/** Why a job has no place. */
export type NoPlace = { refused: 'no_maintenance_host' | 'repository_not_on_host' }

type Question = { kind: JobKind; hostId: string; repositoryId: string; dryRun?: boolean }

/**
 * Where a job of `hostId` on this repository runs. A `dryRun` needs no right to delete. Holds the repository until the
 * transaction ends: its removal sees what is queued now, or comes first.
 */
export async function placeJob(tx: Db, question: Question): Promise<Place | NoPlace> {
  const { hostId, repositoryId } = question
  const [repository] = await tx
    .select({
      mayDelete: repositories.mayDelete,
      linked: hostRepositories.hostId,
      maintenanceHostId: hosts.id,
    })
    .from(repositories)
    .leftJoin(
      hostRepositories,
      and(eq(hostRepositories.repositoryId, repositories.id), eq(hostRepositories.hostId, hostId)),
    )
    .leftJoin(hosts, and(eq(hosts.id, repositories.maintenanceHostId), isNull(hosts.removedAt)))
    .where(eq(repositories.id, repositoryId))
    .for('key share', { of: repositories })
  if (repository === undefined) return { refused: 'repository_not_on_host' }
  return choosePlace(question, { ...repository, hasAccess: repository.linked !== null })
}

type Rights = { hasAccess: boolean; mayDelete: boolean; maintenanceHostId: string | null }

/** The rule by itself. What the everyday credential can do runs where it was asked for; the rest on the maintenance host. */
export function choosePlace(
  { kind, hostId, dryRun = false }: Pick<Question, 'kind' | 'hostId' | 'dryRun'>,
  { hasAccess, mayDelete, maintenanceHostId }: Rights,
): Place | NoPlace {
  const everyday: Place | NoPlace = hasAccess
    ? { hostId, elevated: false }
    : { refused: 'repository_not_on_host' }
  const maintains = maintenanceHostId === hostId
  const lent: Place | NoPlace =
    maintenanceHostId === null
      ? { refused: 'no_maintenance_host' }
      : { hostId: maintenanceHostId, elevated: true, ...(maintains ? {} : { forHostId: hostId }) }
  switch (kind) {
    case 'backup':
      return everyday
    case 'init':
    case 'probe':
      return maintains && !hasAccess ? lent : everyday
    case 'unlock':
      return maintains ? lent : everyday
    case 'forget':
      return hasAccess && (mayDelete || dryRun) ? everyday : lent
    case 'prune':
      return lent
    case 'check':
      return maintenanceHostId === null ? everyday : lent
  }
}
