// Repositories as operators set them up: made, changed, forgotten; secrets sealed on the way in.
import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { z } from 'zod'
import { newId } from '@restic-manager/contract/ids'
import { backendOf, backends } from '@restic-manager/contract/backends'
import { Refusal } from '@restic-manager/contract/refusal'
import type {
  RepositoryCreateRequest,
  RepositoryRemoveRequest,
  RepositoryUpdateRequest,
} from '@restic-manager/contract/requests'
import { timing } from '@restic-manager/contract/timing'
import { notify, notifyAll } from '../db/bus.ts'
import { isOneOf, listedIds } from '../db/listed.ts'
import type { Db } from '../db/open.ts'
import type { Seal } from '../db/seal.ts'
import { hasSqlState, uniqueViolation } from '../db/sql-state.ts'
import { hostRepositories, hosts, jobs, repositories } from '../db/schema.ts'
import { credentials } from '../db/schema-credentials.ts'
import { concernsItsRepository } from './claims.ts'
import { changeConfiguration, placeOf } from './configuration.ts'
import { dispatch, type LinePeriods } from './dispatch.ts'
import { checkAccess } from './host-policies.ts'
import { sealCredentials } from './repository-secrets.ts'
import { maintenanceColumns, moveWaitingJobs, plannedOn } from './maintenance-hosts.ts'

type Create = z.infer<typeof RepositoryCreateRequest>
type Update = z.infer<typeof RepositoryUpdateRequest>
type Remove = z.infer<typeof RepositoryRemoveRequest>

/** Whose word it is that a risk is taken. */
type Asker = { requestedBy?: string }
/** Runs something by itself, once the transaction around a verb has been committed. */
type Afterwards = { afterwards?: (act: (db: Db) => Promise<void>) => void }

/** For this long a repeated request is told the minted password again: its first answer may have been lost. */
const REPEAT_MS = 10 * 60_000

const nameTaken = (name: string) =>
  new Refusal('name_taken', `There is a repository named ${name} already. Choose another name.`)
const notFound = () => new Refusal('repository_not_found', 'There is no such repository.')

/** What an address and its fields come to as columns. */
const accessColumns = (request: Create | Update) => ({
  name: request.name,
  kind: kindOf(request.url),
  url: request.url,
  username: request.username ?? null,
  environment: request.environment ?? {},
  mayDelete: request.mayDelete,
})

function kindOf(url: string) {
  const kind = backendOf(url)
  if (kind === undefined) throw new Refusal('bad_input', 'url: names no backend this server knows')
  return kind
}

/**
 * Makes a repository's record and gives hosts access to it. Without a password one is minted and answered this once, for the
 * recovery kit. A repeated request makes nothing new. Throws `name_taken`, `host_not_found`, `risk_not_accepted`,
 * `refused_by_policy` or `request_reused`.
 */
export async function createRepository(
  db: Db,
  seal: Seal,
  request: Create,
  { requestedBy }: Asker = {},
): Promise<{ repositoryId: string; password: string | null }> {
  return changeConfiguration(db, async tx => {
    const password = request.password ?? randomBytes(32).toString('base64url')
    const maintenance = await maintenanceColumns(tx, request, { requestedBy })
    const [made] = await tx
      .insert(repositories)
      .values({ id: newId(), requestId: request.requestId, ...accessColumns(request), ...maintenance })
      .onConflictDoNothing()
      .returning({ id: repositories.id })
    if (made === undefined) return { result: await repeatedCreate(tx, seal, request), hostIds: [] }
    await sealCredentials(tx, seal, made.id, { ...request, password })
    await giveAccess(tx, made.id, request.hostIds)
    await checkAccess(tx, made.id, { ...maintenance, hostIds: request.hostIds })
    await notify(tx, 'repository', made.id)
    const result = { repositoryId: made.id, password: request.password === undefined ? password : null }
    return { result, hostIds: request.hostIds }
  })
}

async function repeatedCreate(tx: Db, seal: Seal, request: Create) {
  const [before] = await tx
    .select({
      id: repositories.id,
      name: repositories.name,
      url: repositories.url,
      credentialId: credentials.id,
      sealed: credentials.sealed,
      isFresh: sql<boolean>`${repositories.createdAt} > now() - ${REPEAT_MS} * interval '1 millisecond'`,
    })
    .from(repositories)
    .innerJoin(
      credentials,
      and(eq(credentials.repositoryId, repositories.id), eq(credentials.purpose, 'password')),
    )
    .where(eq(repositories.requestId, request.requestId))
  if (before === undefined) throw nameTaken(request.name)
  if (!before.isFresh || before.name !== request.name || before.url !== request.url)
    throw new Refusal('request_reused', 'This request id has made a repository already. Send a new one.')
  const password =
    request.password === undefined ? seal.open(before.sealed, placeOf(before.credentialId)).reveal() : null
  return { repositoryId: before.id, password }
}

/**
 * Changes a repository that is still at the version the operator saw. Secrets left out stay. Throws `version_stale`,
 * `repository_not_found`, `name_taken`, `risk_not_accepted`, `refused_by_policy` or `host_not_found`.
 */
export async function updateRepository(
  db: Db,
  seal: Seal,
  request: Update,
  { requestedBy, afterwards, ...periods }: Asker & Afterwards & Partial<LinePeriods> = {},
): Promise<void> {
  const { repositoryId } = request
  await changeConfiguration(db, async tx => {
    const [before] = await tx
      .select()
      .from(repositories)
      .where(eq(repositories.id, repositoryId))
      .for('no key update')
    if (before === undefined) throw notFound()
    if (before.version !== request.version)
      throw new Refusal(
        'version_stale',
        `You edited version ${request.version} of this repository; it is at version ${before.version} by now. Load it again.`,
      )
    const maintenance = await maintenanceColumns(tx, request, { before, requestedBy })
    await tx
      .update(repositories)
      .set({
        ...accessColumns(request),
        ...maintenance,
        version: sql`${repositories.version} + 1`,
        updatedAt: sql`now()`,
        // At another address there may be another repository: what was known of this one says nothing about it.
        ...(before.url === request.url ? {} : { resticId: null, lockState: null, locks: [] }),
      })
      .where(eq(repositories.id, repositoryId))
    if (!backends[kindOf(request.url)].credential)
      await tx
        .delete(credentials)
        .where(
          and(
            eq(credentials.repositoryId, repositoryId),
            inArray(credentials.purpose, ['everyday', 'admin']),
          ),
        )
    await sealCredentials(tx, seal, repositoryId, request)
    if (maintenance.maintenanceHostId !== before.maintenanceHostId)
      await moveWaitingJobs(tx, repositoryId, maintenance.maintenanceHostId)
    const had = await accessOf(tx, repositoryId)
    const wanted = new Set(request.hostIds)
    const removed = had.filter(id => !wanted.has(id))
    if (removed.length > 0)
      await tx
        .delete(hostRepositories)
        .where(
          and(eq(hostRepositories.repositoryId, repositoryId), isOneOf(hostRepositories.hostId, removed)),
        )
    await giveAccess(tx, repositoryId, [...wanted.difference(new Set(had))])
    await checkAccess(tx, repositoryId, newlyGiven(request, { before, had, maintenance }))
    await notify(tx, 'repository', repositoryId)
    return { result: undefined, hostIds: [...had, ...request.hostIds] }
  }).catch((error: unknown) => {
    throw hasSqlState(error, uniqueViolation) ? nameTaken(request.name) : error
  })
  // By itself: while hosts are being changed nobody may wait for a line.
  const lineUp = (own: Db) => own.transaction(tx => dispatch(tx, [repositoryId], { ...timing, ...periods }))
  if (afterwards === undefined) await lineUp(db)
  else afterwards(lineUp)
}

type Known = Pick<typeof repositories.$inferSelect, 'url' | 'environment' | 'maintenanceHostId'>

/** Whose policies an edit has to ask: of hosts it gives the repository to, and of all of them when it lies elsewhere from now on. */
function newlyGiven(
  { hostIds, url, environment = {}, credential, adminCredential }: Update,
  {
    before,
    had,
    maintenance: { maintenanceHostId },
  }: { before: Known; had: readonly string[]; maintenance: { maintenanceHostId: string | null } },
) {
  const moves =
    url !== before.url || !isDeepStrictEqual(environment, before.environment) || credential !== undefined
  const known = new Set(had)
  const isKept = maintenanceHostId === before.maintenanceHostId && adminCredential === undefined
  return {
    hostIds: moves ? hostIds : hostIds.filter(id => !known.has(id)),
    maintenanceHostId: moves || !isKept ? maintenanceHostId : null,
  }
}

/** Forgets a repository here; its data stays where it is. Throws `not_confirmed`, `repository_in_use` or `repository_not_found`. */
export async function removeRepository(db: Db, { repositoryId, confirmName }: Remove): Promise<void> {
  await changeConfiguration(db, async tx => {
    const [before] = await tx
      .select({ name: repositories.name })
      .from(repositories)
      .where(eq(repositories.id, repositoryId))
      .for('update')
    if (before === undefined) throw notFound()
    if (before.name !== confirmName)
      throw new Refusal('not_confirmed', `Type the name of the repository, ${before.name}, to remove it.`)
    const planned = await plannedOn(tx, repositoryId)
    if (planned.length > 0)
      throw new Refusal(
        'repository_in_use',
        `Schedules use this repository: ${planned.join(', ')}. Change or delete them first.`,
      )
    const open = await tx
      .select({ id: jobs.id })
      .from(jobs)
      .where(
        and(
          eq(jobs.repositoryId, repositoryId),
          inArray(jobs.status, ['queued', 'accepted', 'running']),
          concernsItsRepository,
        ),
      )
      .limit(1)
    if (open.length > 0)
      throw new Refusal(
        'repository_in_use',
        'A job on this repository has not ended yet. Wait for it, or cancel it.',
      )
    const hostIds = await accessOf(tx, repositoryId)
    await tx.delete(repositories).where(eq(repositories.id, repositoryId))
    await notifyAll(tx, { repository: [repositoryId], snapshots: [repositoryId] })
    return { result: undefined, hostIds }
  })
}

async function accessOf(tx: Db, repositoryId: string): Promise<string[]> {
  const rows = await tx
    .select({ hostId: hostRepositories.hostId })
    .from(hostRepositories)
    .where(eq(hostRepositories.repositoryId, repositoryId))
  return rows.map(row => row.hostId)
}

async function giveAccess(tx: Db, repositoryId: string, hostIds: readonly string[]) {
  const wanted = [...new Set(hostIds)]
  if (wanted.length === 0) return
  const there = await tx
    .select({ hostId: hosts.id })
    .from(hosts)
    .where(and(isOneOf(hosts.id, wanted), isNull(hosts.removedAt)))
    .for('key share')
  if (there.length < wanted.length)
    throw new Refusal('host_not_found', 'One of the chosen hosts is no longer here.')
  await tx.execute(sql`insert into ${hostRepositories} (host_id, repository_id)
    select id, ${repositoryId}::uuid from ${listedIds(wanted)} on conflict do nothing`)
}
