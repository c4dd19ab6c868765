// What may still be done in the name of whoever began an act on many hosts: rights end while such an act goes on.
import { and, eq, gt, inArray, isNull, or, sql } from 'drizzle-orm'
import type { BulkKind } from '@restic-manager/contract/bulk'
import type { Db } from '../db/open.ts'
import { apiKeys, operators } from '../db/schema-operators.ts'
import type { bulkActs } from '../db/schema-server.ts'
import { idsWithin } from './scope.ts'

/** Who may do it at all, as the procedures `hosts.bulk` and `hosts.bulkTag` ask. */
const rolesFor: Record<BulkKind, ('operator' | 'admin')[]> = {
  pause: ['operator', 'admin'],
  resume: ['operator', 'admin'],
  run: ['operator', 'admin'],
  addTag: ['admin'],
  removeTag: ['admin'],
}

/** Those of the hosts that whoever began the act may still do it to: none when the account, its role or its key is gone. */
export async function stillAllowed(
  db: Db,
  { kind, actor }: Pick<typeof bulkActs.$inferSelect, 'kind' | 'actor'>,
  hostIds: readonly string[],
): Promise<Set<string>> {
  const id = actor.id ?? null
  const isKey = actor.kind === 'api key'
  const [who] = await db
    .select({ tags: operators.tags })
    .from(operators)
    .leftJoin(apiKeys, isKey ? eq(apiKeys.operatorId, operators.id) : sql`false`)
    .where(
      and(
        inArray(operators.role, rolesFor[kind]),
        sql`${isKey ? apiKeys.id : operators.id} = ${id}::uuid`,
        isNull(apiKeys.revokedAt),
        or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, sql`now()`)),
      ),
    )
  if (who === undefined) return new Set()
  return idsWithin(db, who.tags ?? undefined, { kind: 'host', ids: hostIds })
}
