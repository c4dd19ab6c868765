// Acts on many hosts: begun in one transaction that says on which, done in slices by whichever server is free, told as it goes.
import { and, arrayContains, asc, eq, inArray, isNotNull, isNull, not, type SQL, sql } from 'drizzle-orm'
import type { z } from 'zod'
import type {
  BulkPreview,
  BulkProgress,
  HostBulkPreviewRequest,
  HostBulkRequest,
  HostBulkTagRequest,
} from '@restic-manager/contract/bulk'
import { Refusal } from '@restic-manager/contract/refusal'
import type { Db } from '../db/open.ts'
import { hosts, schedules } from '../db/schema.ts'
import { bulkActs } from '../db/schema-server.ts'
import type { Actor } from './audit.ts'
import { hostsMatching } from './host-filter.ts'
import { isPausedNow } from './pauses.ts'
import { hostsIn, type Scope } from './scope.ts'

export type BulkRequest = z.infer<typeof HostBulkRequest> | z.infer<typeof HostBulkTagRequest>
type Which = Pick<z.infer<typeof HostBulkPreviewRequest>, 'hostIds' | 'filter' | 'total'>

/** The hosts that are meant. Throws `bad_input` when that is not said in one way. */
function meantBy(scope: Scope, { hostIds, filter }: Which): SQL | undefined {
  if ((hostIds === undefined) === (filter === undefined))
    throw new Refusal('bad_input', 'hostIds: send either these or a filter.')
  return and(
    isNull(hosts.removedAt),
    hostsIn(scope),
    hostIds === undefined ? hostsMatching(filter ?? {}) : inArray(hosts.id, hostIds),
  )
}

/**
 * Begins an act; nothing is done to a host yet. Safe to call twice with one request id. Throws `bad_input`, `request_reused`, or
 * `version_stale` when other hosts match by now than the operator saw.
 */
export async function beginBulk(
  tx: Db,
  scope: Scope,
  request: BulkRequest,
  actor: Actor,
): Promise<{ hosts: number }> {
  const { requestId, kind, total } = request
  const [before] = await tx.select().from(bulkActs).where(eq(bulkActs.id, requestId))
  if (before !== undefined) {
    if (before.kind !== kind || before.actor.id !== actor.id)
      throw new Refusal('request_reused', 'This request id has begun something else. Send a new one.')
    return { hosts: before.hostIds.length }
  }
  const found = await tx
    .select({ id: hosts.id })
    .from(hosts)
    .where(meantBy(scope, request))
    .orderBy(asc(hosts.name), asc(hosts.id))
  if (total !== undefined && total !== found.length)
    throw new Refusal(
      'version_stale',
      `You chose ${total} hosts, and ${found.length} match by now. Look at the list again, then choose.`,
    )
  const { reason, until }: { reason?: string | undefined; until?: Date | undefined } =
    request.kind === 'pause' ? request : {}
  if (until !== undefined && until.getTime() <= Date.now())
    throw new Refusal('bad_input', 'until: has gone by already. Choose a later end, or none.')
  await tx
    .insert(bulkActs)
    .values({
      id: requestId,
      kind,
      detail: {
        ...(request.filter === undefined ? {} : { filter: request.filter }),
        ...('tag' in request ? { tag: request.tag } : {}),
        ...(reason === undefined ? {} : { reason }),
        ...(until === undefined ? {} : { until: until.toISOString() }),
      },
      hostIds: found.map(({ id }) => id),
      actor: {
        kind: actor.kind === 'api key' ? 'api key' : 'operator',
        name: actor.name,
        ...(actor.id === undefined ? {} : { id: actor.id }),
        ...(actor.address === undefined ? {} : { address: actor.address }),
      },
    })
    .onConflictDoNothing()
  return { hosts: found.length }
}

/** Hosts on which an act of this kind changes nothing; names the columns of `hosts` in full. */
const alreadySo = {
  pause: () => isPausedNow,
  resume: () => not(isPausedNow),
  run: () =>
    sql`not exists (select 1 from schedules planned where planned.host_id = hosts.id and planned.kind = 'backup'
      and planned.enabled and planned.deleted_at is null)`,
  addTag: (tag: string) => arrayContains(hosts.tags, [tag]),
  removeTag: (tag: string) => not(arrayContains(hosts.tags, [tag])),
}

/** What an act would come to. Throws `bad_input`. */
export async function previewBulk(
  db: Db,
  scope: Scope,
  request: z.infer<typeof HostBulkPreviewRequest>,
): Promise<BulkPreview> {
  const which = meantBy(scope, request)
  const [counted] = await db
    .select({
      hosts: sql<number>`count(*)::integer`,
      already: sql<number>`(count(*) filter (where ${alreadySo[request.kind](request.tag ?? '')}))::integer`,
    })
    .from(hosts)
    .where(which)
  const [planned] = await db
    .select({ schedules: sql<number>`count(*)::integer` })
    .from(schedules)
    .innerJoin(hosts, eq(hosts.id, schedules.hostId))
    .where(
      and(
        which,
        isNull(schedules.deletedAt),
        eq(schedules.enabled, true),
        request.kind === 'run' ? eq(schedules.kind, 'backup') : isNotNull(schedules.cron),
      ),
    )
  return { hosts: 0, already: 0, schedules: 0, ...counted, ...planned }
}

/** How far an act of this operator has come; null for one that is not known, or not any more. */
export async function progressOf(db: Db, actId: string, actorId: string): Promise<BulkProgress | null> {
  const [act] = await db
    .select()
    .from(bulkActs)
    .where(and(eq(bulkActs.id, actId), sql`${bulkActs.actor} ->> 'id' = ${actorId}`))
  if (act === undefined) return null
  const { kind, hostIds, done, changed, already, refused, why, finishedAt } = act
  return { kind, hosts: hostIds.length, done, changed, already, refused, why, finishedAt }
}
