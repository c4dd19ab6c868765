// Who maintains a repository: what the form holds, what it sends, and whose word it needs.
import type { Id } from '@restic-manager/contract/ids'
import { backends } from '@restic-manager/contract/backends'
import { RepositoryUpdateRequest } from '@restic-manager/contract/requests'
import type { RepositoryView } from '@restic-manager/contract/views'

/** `adminCredential` empty: it stays as it is, or the everyday one is used. */
export type MaintenanceDraft = {
  host: { id: Id; name: string } | null
  adminUsername: string
  adminCredential: string
  acceptsRisk: boolean
}

/** The form of a repository as it is. A risk that was accepted for its host stays accepted. */
export const maintenanceDraftOf = (repository: RepositoryView): MaintenanceDraft => ({
  host: repository.maintenanceHost,
  adminUsername: repository.adminUsername ?? '',
  adminCredential: '',
  acceptsRisk: repository.ransomwareUnsafe && repository.riskAcceptedBy !== null,
})

/** Whether the chosen host also backs up there, so that somebody has to accept what that means. */
export const needsAcceptance = (
  repository: Pick<RepositoryView, 'hosts'>,
  host: { id: Id } | null,
): boolean => host !== null && repository.hosts.some(({ id }) => id === host.id)

/** What an edit of anything else must send along, or it would be taken away. */
export const keptMaintenance = ({ adminUsername }: Pick<RepositoryView, 'adminUsername'>) =>
  adminUsername === null ? {} : { adminUsername }

/** The edit that changes who maintains it, and leaves the rest as it was at this version. */
export function maintenanceRequest(repository: RepositoryView, draft: MaintenanceDraft) {
  const takes = backends[repository.kind]
  const adminUsername = draft.adminUsername.trim()
  return {
    repositoryId: repository.id,
    version: repository.version,
    name: repository.name,
    url: repository.url,
    ...(repository.username !== null && { username: repository.username }),
    environment: repository.environment,
    mayDelete: repository.mayDelete,
    hostIds: repository.hosts.map(({ id }) => id),
    maintenanceHostId: draft.host?.id ?? null,
    ...(takes.username && adminUsername !== '' && { adminUsername }),
    ...(takes.credential &&
      draft.adminCredential.trim() !== '' && { adminCredential: draft.adminCredential }),
    ...(needsAcceptance(repository, draft.host) && draft.acceptsRisk && { acceptsRisk: true }),
  }
}

/** What is wrong with the form, by field. */
export function complaintsAboutMaintenance(
  repository: RepositoryView,
  draft: MaintenanceDraft,
): Partial<Record<keyof MaintenanceDraft, string>> {
  const complaints: Partial<Record<keyof MaintenanceDraft, string>> = {}
  const parsed = RepositoryUpdateRequest.safeParse(maintenanceRequest(repository, draft))
  for (const { path, message } of parsed.error?.issues ?? []) {
    if (path[0] === 'adminUsername') complaints.adminUsername ??= message
    if (path[0] === 'adminCredential') complaints.adminCredential ??= message
  }
  if (needsAcceptance(repository, draft.host) && !draft.acceptsRisk)
    complaints.acceptsRisk = 'Accept this in so many words, or choose a host that does not back up there.'
  return complaints
}
