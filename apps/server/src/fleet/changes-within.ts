// What of the changes in the fleet somebody may hear.
import type { Change } from '@restic-manager/contract/change'
import type { Db } from '../db/open.ts'
import { idsWithin, type Scope, type Thing } from './scope.ts'

const kinds = {
  host: 'host',
  job: 'job',
  repository: 'repository',
  snapshots: 'repository',
  enrolment: 'enrolment',
  alert: 'alert',
} as const satisfies Record<Exclude<Change['topic'], 'audit' | 'everything'>, Thing['kind']>

/** Leaves out changes of what is outside of the scope. That something changed which nobody can name is said to all. */
export async function changesWithin(db: Db, scope: Scope, changes: readonly Change[]): Promise<Change[]> {
  if (scope === undefined) return [...changes]
  const within: Change[] = []
  for (const [topic, of] of Map.groupBy(changes, change => change.topic)) {
    if (topic === 'everything' || topic === 'audit') within.push(...of)
    else {
      const ids = await idsWithin(db, scope, { kind: kinds[topic], ids: of.map(change => change.id) })
      within.push(...of.filter(change => ids.has(change.id)))
    }
  }
  return within
}
