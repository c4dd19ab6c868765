// What hosts told that their own policies forbid: asked before something is given to them, planned on them, or run there.
import { and, asc, eq, inArray, isNull } from 'drizzle-orm'
import { PolicySummary } from '@restic-manager/contract/agent'
import type { JobSpec } from '@restic-manager/contract/command'
import {
  type AskedAccess,
  type AskedWork,
  complaintsByPolicy,
  type PolicyComplaint,
} from '@restic-manager/contract/policy-rule'
import { type Complaint, Refusal } from '@restic-manager/contract/refusal'
import type { HostPolicyRow } from '@restic-manager/contract/views'
import { isOneOf } from '../db/listed.ts'
import type { Db } from '../db/open.ts'
import { hosts, repositories } from '../db/schema.ts'
import { credentials } from '../db/schema-credentials.ts'
import type { Place } from './placement.ts'
import { hostsIn, type Scope } from './scope.ts'

/** A host by its id, with the policy it told last; undefined where it told none, or one we cannot read. Removed ones too. */
export type HostPolicies = ReadonlyMap<string, { name: string; rules: PolicySummary | undefined }>

/** What these hosts told of their policies. Ids as they are stored. */
export async function policiesOf(db: Db, hostIds: readonly string[]): Promise<HostPolicies> {
  if (hostIds.length === 0) return new Map()
  const rows = await db
    .select({ id: hosts.id, name: hosts.name, policy: hosts.policy })
    .from(hosts)
    .where(isOneOf(hosts.id, hostIds))
  return new Map(rows.map(({ id, name, policy }) => [id, { name, rules: readPolicy(policy) }]))
}

/** The policies of the hosts among these that are in the scope, for a page that offers only what can run. */
export async function listPolicies(
  db: Db,
  scope: Scope,
  { hostIds }: { hostIds: readonly string[] },
): Promise<HostPolicyRow[]> {
  if (hostIds.length === 0) return []
  const rows = await db
    .select({ hostId: hosts.id, policy: hosts.policy })
    .from(hosts)
    .where(and(inArray(hosts.id, [...hostIds]), isNull(hosts.removedAt), hostsIn(scope)))
    .orderBy(asc(hosts.id))
  return rows.map(({ hostId, policy }) => ({ hostId, policy: readPolicy(policy) ?? null }))
}

const readPolicy = (told: unknown) => PolicySummary.safeParse(told).data

/** How hosts reach a repository: with the everyday credential, and as its maintenance host. */
export type RepositoryPlace = { name: string; everyday: AskedAccess; elevated: AskedAccess }

/** Where repositories lie, as the rule of policies asks. No secret is opened for it. */
export async function placesOf(
  db: Db,
  repositoryIds: readonly string[],
): Promise<Map<string, RepositoryPlace>> {
  if (repositoryIds.length === 0) return new Map()
  const rows = await db
    .select({
      id: repositories.id,
      name: repositories.name,
      url: repositories.url,
      environment: repositories.environment,
      purpose: credentials.purpose,
      remoteType: credentials.remoteType,
    })
    .from(repositories)
    .leftJoin(credentials, eq(credentials.repositoryId, repositories.id))
    .where(inArray(repositories.id, [...repositoryIds]))
  const places = new Map<string, RepositoryPlace>()
  for (const [id, of] of Map.groupBy(rows, row => row.id)) {
    const [row] = of
    if (row === undefined) continue
    const { name, url, environment } = row
    const everyday = of.find(({ purpose }) => purpose === 'everyday')
    const access = (secret: typeof everyday): AskedAccess => ({
      ...{ url, environment },
      hasCredential: secret !== undefined,
      remoteType: secret?.remoteType ?? undefined,
    })
    const admin = of.find(({ purpose }) => purpose === 'admin') ?? everyday
    places.set(id, { name, everyday: access(everyday), elevated: access(admin) })
  }
  return places
}

type Work = { repositoryId: string; spec: JobSpec; isNew?: boolean }

/**
 * Throws `refused_by_policy` with everything that the policy of the host forbids of a job that would run there. A speed above its
 * limit is refused when somebody asks for it now (`isNew`): what was saved before runs, slower.
 */
export async function checkWork(
  tx: Db,
  { hostId, elevated }: Place,
  { repositoryId, spec, isNew = false }: Work,
): Promise<void> {
  const host = (await policiesOf(tx, [hostId])).get(hostId.toLowerCase())
  const place = (await placesOf(tx, [repositoryId])).get(repositoryId.toLowerCase())
  if (host === undefined || place === undefined) return
  const work: AskedWork = {
    access: elevated ? place.elevated : place.everyday,
    ...('preHook' in spec && { preHook: spec.preHook }),
    ...('postHook' in spec && { postHook: spec.postHook }),
    ...('options' in spec && { options: spec.options }),
  }
  const complaints = complaintsByPolicy(host.rules, work).filter(
    ({ code }) => isNew || code !== 'bandwidth_not_allowed',
  )
  refuseFor(complaints.map(complaint => ofHost(host.name, complaint, 'hostId')))
}

/** Hosts that are given access to a repository, and the one that is to maintain it. */
type Given = { hostIds: readonly string[]; maintenanceHostId?: string | null | undefined }

/** Throws `refused_by_policy` with everything that the policies of these hosts forbid of a repository. */
export async function checkAccess(tx: Db, repositoryId: string, given: Given): Promise<void> {
  const keeperId = given.maintenanceHostId ?? undefined
  const policies = await policiesOf(tx, [...given.hostIds, ...(keeperId === undefined ? [] : [keeperId])])
  const place = (await placesOf(tx, [repositoryId])).get(repositoryId)
  if (place === undefined) return
  const complaintsOf = (hostId: string, access: AskedAccess, field: string) => {
    const host = policies.get(hostId.toLowerCase())
    return host === undefined
      ? []
      : complaintsByPolicy(host.rules, { access }).map(complaint => ofHost(host.name, complaint, field))
  }
  refuseFor([
    ...given.hostIds.flatMap(id => complaintsOf(id, place.everyday, 'hostIds')),
    ...(keeperId === undefined ? [] : complaintsOf(keeperId, place.elevated, 'maintenanceHostId')),
  ])
}

const ofHost = (name: string, { code, message }: PolicyComplaint, field: string): Complaint => ({
  ...{ code, field },
  message: `${name}: ${message}`,
})

function refuseFor(complaints: readonly Complaint[]): void {
  const [first, ...more] = complaints
  if (first === undefined) return
  const sentence = more.length === 0 ? first.message : `${first.message} (and ${more.length} more)`
  throw new Refusal('refused_by_policy', sentence, complaints)
}
