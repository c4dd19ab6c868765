// What runs here: this server, its database, and the versions its hosts have told of.
import { and, desc, isNull, sql } from 'drizzle-orm'
import type { AboutView } from '@restic-manager/contract/settings'
import type { Db } from '../db/open.ts'
import { hosts } from '../db/schema.ts'
import { version } from '../version.ts'
import { hostsIn, type Scope } from './scope.ts'

/** What runs here, with the versions of the hosts in `scope`. */
export async function about(db: Db, scope: Scope): Promise<AboutView> {
  const [[database], agents, restics] = await Promise.all([
    db.execute<{ version: string; bytes: string }>(
      sql`select current_setting('server_version') as version, pg_database_size(current_database()) as bytes`,
    ),
    countVersions(db, scope, 'agentVersion'),
    countVersions(db, scope, 'resticVersion'),
  ])
  return {
    ...{ version, startedAt: new Date(performance.timeOrigin), node: process.versions.node },
    // Debian and others add the name of their package in brackets.
    ...{ postgres: database?.version.split(' ')[0] ?? '', databaseBytes: Number(database?.bytes) },
    ...{ agents, restics },
  }
}

function countVersions(db: Db, scope: Scope, of: 'agentVersion' | 'resticVersion') {
  const count = sql<number>`count(*)::integer`
  return db
    .select({ version: hosts[of], hosts: count })
    .from(hosts)
    .where(and(isNull(hosts.removedAt), hostsIn(scope)))
    .groupBy(hosts[of])
    .orderBy(desc(count), desc(hosts[of]))
}
