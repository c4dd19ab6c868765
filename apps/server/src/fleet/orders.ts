// What a host has to be told, and what this connection has told it already.
import type { AgentOrder } from '@restic-manager/contract/agent'
import type { ElevatedAccess } from '@restic-manager/contract/command'
import type { JobKind, JobStatus } from '@restic-manager/contract/job'
import { toInstant } from '@restic-manager/contract/scalars'
import type { HostSession } from '../context.ts'
import type { Db } from '../db/open.ts'
import type { Seal } from '../db/seal.ts'
import { isOneOf } from '../db/listed.ts'
import { jobs } from '../db/schema.ts'
import { together } from '../db/together.ts'
import { isOlderVersion } from '../version.ts'
import { configurationOf } from './configuration.ts'
import { elevatedAccessOf } from './elevated-access.ts'
import { fenced } from './facts.ts'
import { newsOf, type Standing } from './news.ts'

/** What was said on one connection. A new connection begins with nothing, so whatever is not answered is said again. */
export type Sent = {
  configVersion: number | undefined
  runs: ReadonlySet<string>
  cancels: ReadonlySet<string>
  toldOfRelease: boolean
  toldOfKey: boolean
  /** There was more than fits into the last batch. */
  hasMore: boolean
}
/** Shared: nearly every connection waits without an open job. */
const none: ReadonlySet<string> = new Set()

export const nothingSent = (): Sent => ({
  configVersion: undefined,
  runs: none,
  cancels: none,
  toldOfRelease: false,
  toldOfKey: false,
  hasMore: false,
})

/** The newest agent there is, as this server knows it, and where its package lies. */
export type Release = { version: string; packageUrl: string }

/** Jobs of one kind in one batch. */
const BATCH = 50

/** Whether this connection was not told all of `now` yet. */
export const isNewTo = (sent: Sent, now: Standing): boolean =>
  now.configVersion !== sent.configVersion ||
  (now.keyWantedAt !== null && !sent.toldOfKey) ||
  now.queued.some(id => !sent.runs.has(id)) ||
  now.cancelled.some(id => !sent.cancels.has(id))

/**
 * The next orders for a host, at most a batch, and remembers them in `sent`: the configuration when it changed, cancels, then
 * jobs that were let go and have not expired, oldest first, and once that there is a newer agent. The admin credential goes
 * with a job that needs it, and only to who is the maintenance host now. None: nothing to say for now. Throws `session_fenced`.
 */
export async function nextOrders(
  db: Db,
  seal: Seal,
  host: HostSession,
  sent: Sent,
  release?: Release,
): Promise<AgentOrder[]> {
  const look = await newsOf(db, host)
  if (look === undefined) throw fenced()

  const cancels = unsent(look.cancelled, sent.cancels)
  const runs = unsent(look.queued, sent.runs)
  const orders: AgentOrder[] = []
  if (look.configVersion !== sent.configVersion) {
    const config = await configurationOf(db, seal, { ...look, hostId: host.id, version: look.configVersion })
    orders.push({ order: 'config.update', ...config })
  }
  const named = new Map((await nameJobs(db, [...cancels, ...runs])).map(job => [job.jobId, job]))
  const namesOf = (ids: string[]) => ids.flatMap(id => named.get(id) ?? [])
  orders.push(...namesOf(cancels).map(cancelOrder))
  const stillQueued = namesOf(runs).filter(({ status }) => status === 'queued')
  const lent = stillQueued.filter(job => job.elevated).map(job => job.repositoryId)
  const access = await elevatedAccessOf(db, seal, { hostId: host.id, repositoryIds: lent })
  orders.push(...stillQueued.flatMap(job => runOrder(job, look.configVersion, access)))
  const isOutdated = release !== undefined && isOlderVersion(look.agentVersion, release.version)
  if (isOutdated && !sent.toldOfRelease)
    orders.push({
      order: 'agent.updateAvailable',
      latestVersion: release.version,
      packageUrl: release.packageUrl,
    })

  const { keyWantedAt } = look
  if (keyWantedAt !== null && !sent.toldOfKey)
    orders.push({ order: 'agent.rotateKey', wantedAt: toInstant(new Date(keyWantedAt)) })

  // Only now, when nothing can fail any more: what was not handed over is to be said again.
  sent.configVersion = look.configVersion
  sent.cancels = saidOf(look.cancelled, sent.cancels, cancels)
  sent.runs = saidOf(look.queued, sent.runs, runs)
  sent.toldOfRelease = true
  sent.toldOfKey = keyWantedAt !== null
  sent.hasMore = cancels.length === BATCH || runs.length === BATCH
  return orders
}

/** Those of `open` that were not said yet, at most a batch. */
const unsent = (open: readonly string[], said: ReadonlySet<string>): string[] =>
  open.filter(id => !said.has(id)).slice(0, BATCH)

/** What was said of `open`, now that `news` was said too. What is no longer open is forgotten. */
function saidOf(
  open: readonly string[],
  before: ReadonlySet<string>,
  news: readonly string[],
): ReadonlySet<string> {
  if (open.length === 0) return none
  return new Set([...open.filter(id => before.has(id)), ...news])
}

type NamedJob = {
  jobId: string
  kind: JobKind
  repositoryId: string
  status: JobStatus
  spec: object
  elevated: boolean
  scheduleId: string | null
  scheduledFor: Date | null
  retryOf: string | null
}

const nameJobs = async (db: Db, jobIds: string[]) =>
  jobIds.length === 0 ? [] : ((await jobsNamed(db, jobIds)) ?? [])

const jobsNamed = together<string[], NamedJob[]>(async (db, lists) => {
  const rows = await db
    .select({
      jobId: jobs.id,
      kind: jobs.kind,
      repositoryId: jobs.repositoryId,
      status: jobs.status,
      spec: jobs.spec,
      elevated: jobs.elevated,
      scheduleId: jobs.scheduleId,
      scheduledFor: jobs.scheduledFor,
      retryOf: jobs.retryOf,
    })
    .from(jobs)
    .where(isOneOf(jobs.id, lists.flat()))
  const byId = new Map(rows.map(row => [row.jobId, row]))
  return lists.map(ids => ids.flatMap(id => byId.get(id) ?? []))
})

const headerOf = ({ jobId, kind, repositoryId, scheduleId, scheduledFor, retryOf }: NamedJob) => ({
  jobId,
  kind,
  repositoryId,
  ...(scheduleId === null ? {} : { scheduleId }),
  ...(scheduledFor === null ? {} : { scheduledAt: toInstant(scheduledFor) }),
  ...(retryOf === null ? {} : { retryOf }),
})

/** Names the job in full: an agent that never saw it can then report its end. */
const cancelOrder = (job: NamedJob): AgentOrder => ({ order: 'command.cancel', ...headerOf(job) })

/** Nothing for a job that needs what its host may not be lent any more. */
function runOrder(job: NamedJob, configVersion: number, access: Map<string, ElevatedAccess>): AgentOrder[] {
  const elevatedAccess = job.elevated ? access.get(job.repositoryId) : undefined
  if (job.elevated && elevatedAccess === undefined) return []
  const lent = elevatedAccess === undefined ? {} : { elevatedAccess }
  const order = { order: 'command.run', ...headerOf(job), configVersion, spec: job.spec, ...lent }
  return [order as AgentOrder] // kind and spec were checked together when the job was made
}
