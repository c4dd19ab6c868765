// The admin credential of a repository, opened for one order to its maintenance host and for nothing else.
import { and, eq, inArray } from 'drizzle-orm'
import type { ElevatedAccess } from '@restic-manager/contract/command'
import type { Db } from '../db/open.ts'
import type { Seal } from '../db/seal.ts'
import { repositories } from '../db/schema.ts'
import { credentials } from '../db/schema-credentials.ts'
import { placeOf } from './configuration.ts'

/**
 * Access with the right to delete, by repository: of those that `hostId` maintains, and no others. Where no admin credential
 * is kept apart, the everyday one stands in. Not for any row, log or view.
 */
export async function elevatedAccessOf(
  db: Db,
  seal: Seal,
  { hostId, repositoryIds }: { hostId: string; repositoryIds: readonly string[] },
): Promise<Map<string, ElevatedAccess>> {
  if (repositoryIds.length === 0) return new Map()
  const rows = await db
    .select({
      repositoryId: repositories.id,
      url: repositories.url,
      username: repositories.username,
      adminUsername: repositories.adminUsername,
      environment: repositories.environment,
      credentialId: credentials.id,
      purpose: credentials.purpose,
      sealed: credentials.sealed,
    })
    .from(repositories)
    .innerJoin(credentials, eq(credentials.repositoryId, repositories.id))
    .where(and(inArray(repositories.id, [...repositoryIds]), eq(repositories.maintenanceHostId, hostId)))
  const access = new Map<string, ElevatedAccess>()
  for (const [repositoryId, of] of Map.groupBy(rows, row => row.repositoryId)) {
    const [row] = of
    const secret = (purpose: (typeof of)[number]['purpose']) => {
      const found = of.find(candidate => candidate.purpose === purpose)
      return found && seal.open(found.sealed, placeOf(found.credentialId))
    }
    const password = secret('password')
    if (row === undefined || password === undefined) continue
    const username = row.adminUsername ?? row.username
    const credential = secret('admin') ?? secret('everyday')
    access.set(repositoryId, {
      url: row.url,
      password: password.reveal(),
      environment: row.environment,
      ...(username === null ? {} : { username }),
      ...(credential === undefined ? {} : { credential: credential.reveal() }),
    })
  }
  return access
}
