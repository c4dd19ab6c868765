// The tags that hosts have, for who filters by them.
import { and, isNull, sql } from 'drizzle-orm'
import type { HostTag } from '@restic-manager/contract/bulk'
import type { Db } from '../db/open.ts'
import { hosts } from '../db/schema.ts'
import { hostsIn, type Scope } from './scope.ts'

/** A list of choices ends somewhere. */
const MOST_TAGS = 500

/** Every tag of the hosts in the scope, by name, with how many of them have it. */
export async function listTags(db: Db, scope: Scope): Promise<HostTag[]> {
  const tag = sql<string>`unnest(${hosts.tags})`.as('tag')
  const each = db
    .select({ tag })
    .from(hosts)
    .where(and(isNull(hosts.removedAt), hostsIn(scope)))
    .as('each')
  return db
    .select({ tag: each.tag, hosts: sql<number>`count(*)::integer` })
    .from(each)
    .groupBy(each.tag)
    .orderBy(each.tag)
    .limit(MOST_TAGS)
}
