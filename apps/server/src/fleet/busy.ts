// Whether the records show anybody at work on a repository.
import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { hosts, jobs, repositories } from '../db/schema.ts'
import { concernsItsRepository } from './claims.ts'
import { lineKey, mayBeAtWork } from './dispatch.ts'

/** The repositories that are the same one on disk as this, as far as is known: an inner query for `in`. */
export const sameOnDisk = (tx: Db, repositoryId: string) =>
  tx
    .select({ id: repositories.id })
    .from(repositories)
    .where(
      eq(
        lineKey,
        sql`(select coalesce(named.restic_id, named.id::text) from repositories named where named.id = ${repositoryId})`,
      ),
    )

/** Whether a job may be at work on this repository, under any of the names it is known by, whoever decided it. */
export async function isBusy(tx: Db, repositoryId: string): Promise<boolean> {
  const live = await tx
    .select({ id: jobs.id })
    .from(jobs)
    .innerJoin(hosts, and(eq(hosts.id, jobs.hostId), isNull(hosts.removedAt)))
    .where(and(inArray(jobs.repositoryId, sameOnDisk(tx, repositoryId)), concernsItsRepository, mayBeAtWork))
    .limit(1)
  return live.length > 0
}
