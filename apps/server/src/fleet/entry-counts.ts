// How much there is of everything, for the navigation of the page: asked for on every screen, and after every change.
import { and, inArray, isNull } from 'drizzle-orm'
import type { EntryCounts } from '@restic-manager/contract/overview'
import type { Db } from '../db/open.ts'
import { hosts, jobs, repositories } from '../db/schema.ts'
import { countAlerts } from './alert-views.ts'
import { alertsIn, eachRepositoryIn, fewJobsIn, hostsIn, type Scope } from './scope.ts'

/** Four counts of what the scope sees, none of which grows with the jobs. */
export async function countEntries(db: Db, scope: Scope): Promise<EntryCounts> {
  const [hostCount, running, repositoryCount, alerts] = await Promise.all([
    db.$count(hosts, and(isNull(hosts.removedAt), hostsIn(scope))),
    db.$count(jobs, and(inArray(jobs.status, ['accepted', 'running']), fewJobsIn(scope))),
    db.$count(repositories, eachRepositoryIn(scope)),
    countAlerts(db, alertsIn(scope)),
  ])
  return { hosts: hostCount, running, repositories: repositoryCount, alerts }
}
