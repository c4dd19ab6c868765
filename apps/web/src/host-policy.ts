// What hosts' own policies forbid, for whatever offers a host something: the same rule that the server refuses by.
import type { PolicySummary } from '@restic-manager/contract/agent'
import type { Id } from '@restic-manager/contract/ids'
import {
  type AskedAccess,
  type AskedWork,
  complaintsByPolicy,
  type PolicyComplaint,
} from '@restic-manager/contract/policy-rule'
import type { PlannedPlace } from '@restic-manager/contract/schedule-complaints'
import type { ScheduleDraft, ScheduleKind } from '@restic-manager/contract/schedule'
import type { HostView, RepositoryView } from '@restic-manager/contract/views'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { runsOn } from './schedule-words.ts'
import { trpc } from './trpc.ts'

/** How the hosts of a repository reach it; `elevated`: how its maintenance host does. */
export function accessOf(repository: RepositoryView, { elevated = false } = {}): AskedAccess {
  const { url, environment, hasCredential, hasAdminCredential } = repository
  const byAdmin = elevated && hasAdminCredential
  return {
    ...{ url, environment },
    hasCredential: byAdmin || hasCredential,
    remoteType: (byAdmin ? repository.adminRemoteType : repository.remoteType) ?? undefined,
  }
}

/** Why the policy of a host keeps it from some work, as a sentence; undefined when it does not, or has told nothing. */
export const whyForbidden = (policy: PolicySummary | null | undefined, work: AskedWork): string | undefined =>
  complaintsByPolicy(policy ?? undefined, work)[0]?.message

/** What these hosts told of their policies, by id; of those that are not read yet, or told nothing, there is none. */
export function useHostPolicies(hostIds: readonly Id[]): ReadonlyMap<Id, PolicySummary> {
  const wanted = [...new Set(hostIds)].toSorted().slice(0, 200)
  const read = useQuery(
    trpc.hosts.policies.queryOptions(
      { hostIds: wanted },
      { enabled: wanted.length > 0, placeholderData: keepPreviousData },
    ),
  )
  return new Map(
    (read.data ?? []).flatMap(({ hostId, policy }) => (policy === null ? [] : [[hostId, policy]])),
  )
}

/** Where a schedule of this kind would work, by repository, with what the host that runs it there has told of its policy. */
export function usePlannedPlaces(kind: ScheduleKind, host: HostView): ReadonlyMap<Id, PlannedPlace> {
  const planned = host.repositories.flatMap(repository => {
    const runner = runsOn(kind, host, repository)
    return runner === null ? [] : [{ repository, runner }]
  })
  const others = useHostPolicies(planned.flatMap(({ runner }) => (runner.id === host.id ? [] : [runner.id])))
  return new Map(
    planned.map(({ repository, runner }): [Id, PlannedPlace] => {
      const isHere = runner.id === host.id
      const elevated =
        runner.id === repository.maintenanceHost?.id &&
        kind !== 'backup' &&
        !(kind === 'forget' && repository.mayDelete)
      return [
        repository.id,
        {
          name: repository.name,
          access: accessOf(repository, { elevated }),
          rules: isHere ? (host.policy ?? undefined) : others.get(runner.id),
          ...(isHere ? {} : { host: runner.name }),
        },
      ]
    }),
  )
}

const inShort = {
  policy_not_followed: 'The policy file of this host is not followed, so it does not run.',
  repository_not_allowed: 'The policy of this host does not allow its repository.',
  environment_not_allowed: 'The policy of this host does not allow the environment of its repository.',
  hooks_not_allowed: 'The policy of this host does not allow its hooks.',
  bandwidth_not_allowed: 'It is slower than it asks for: the policy of this host has a limit.',
} as const satisfies Record<PolicyComplaint['code'], string>

/** Why the policy of a host keeps one of its schedules from running there now, in short and in full; undefined when it does not, or runs elsewhere. */
export function whyNotRun(
  host: HostView,
  { kind, repositoryIds, preHook, postHook }: ScheduleDraft,
): { short: string; full: string } | undefined {
  const here = host.repositories.filter(
    repository => repositoryIds.includes(repository.id) && runsOn(kind, host, repository)?.id === host.id,
  )
  const [complaint] = here.flatMap(repository =>
    complaintsByPolicy(host.policy ?? undefined, { access: accessOf(repository), preHook, postHook }),
  )
  return complaint && { short: inShort[complaint.code], full: complaint.message }
}
