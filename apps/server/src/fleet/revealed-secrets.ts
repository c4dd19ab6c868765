// Secrets of a repository for a person: what a recovery kit needs.
import { asc, eq, sql } from 'drizzle-orm'
import { Refusal } from '@restic-manager/contract/refusal'
import type { RepositorySecrets } from '@restic-manager/contract/views'
import type { Db } from '../db/open.ts'
import { hostRepositories, hosts, repositories } from '../db/schema.ts'
import { credentials } from '../db/schema-credentials.ts'
import type { Seal } from '../db/seal.ts'
import { placeOf } from './configuration.ts'

/**
 * Opens everything that is sealed for a repository. Only for who may change it and has just shown that it is them, and never without
 * a row in the audit log. Throws `repository_not_found`.
 */
export async function revealSecrets(
  db: Db,
  seal: Seal,
  { repositoryId }: { repositoryId: string },
): Promise<RepositorySecrets> {
  const [found] = await db
    .select({
      name: repositories.name,
      kind: repositories.kind,
      url: repositories.url,
      environment: repositories.environment,
      username: repositories.username,
      adminUsername: repositories.adminUsername,
      readAt: sql<Date>`now()`.mapWith(repositories.createdAt),
    })
    .from(repositories)
    .where(eq(repositories.id, repositoryId))
  const sealed = await db
    .select({ id: credentials.id, purpose: credentials.purpose, sealed: credentials.sealed })
    .from(credentials)
    .where(eq(credentials.repositoryId, repositoryId))
  const secret = (purpose: (typeof sealed)[number]['purpose']) => {
    const one = sealed.find(each => each.purpose === purpose)
    return one && seal.open(one.sealed, placeOf(one.id)).reveal()
  }
  const password = secret('password')
  if (found === undefined || password === undefined)
    throw new Refusal('repository_not_found', 'There is no such repository.')
  const used = await db
    .select({ name: hosts.name })
    .from(hostRepositories)
    .innerJoin(hosts, eq(hosts.id, hostRepositories.hostId))
    .where(eq(hostRepositories.repositoryId, repositoryId))
    .orderBy(asc(hosts.name), asc(hosts.id))
  return {
    ...found,
    password,
    credential: secret('everyday') ?? null,
    adminCredential: secret('admin') ?? null,
    hosts: used.map(host => host.name),
  }
}
