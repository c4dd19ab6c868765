// Who may begin on a repository: the decision over its line of jobs, by itself.
import type { JobKind } from '@restic-manager/contract/job'

/**
 * A job that waits on a repository or may be at work there. `held`: not ordered yet. `ripe`: the time before which it must not
 * run has passed. `linedUpAt`: since when it stands in the line, in milliseconds.
 */
export type LineJob = {
  id: string
  kind: JobKind
  dryRun: boolean
  held: boolean
  ripe: boolean
  linedUpAt: number
}

/** What becomes of the held jobs of a line. A job that is in neither list only waits for its time. */
export type LineDecision = { release: string[]; wait: { id: string; waitsFor: string }[] }

type Role = 'free' | 'shared' | 'exclusive'

/** How a job stands to others. restic lets many backups in at once, and what removes or rereads only alone. */
function roleOf({ kind, dryRun }: LineJob): Role {
  if (kind === 'forget') return dryRun ? 'free' : 'exclusive'
  if (kind === 'prune' || kind === 'check') return 'exclusive'
  return kind === 'init' || kind === 'probe' ? 'free' : 'shared'
}

/**
 * Goes along the line in order. Exclusive jobs wait for everything that was let go, and for whatever stands before them.
 * Backups wait for exclusive jobs that were let go or stand before them, `maintenanceWait` milliseconds at most. What takes no
 * lock, or only removes stale ones, never waits.
 */
export function decideLine(
  line: readonly LineJob[],
  { now, maintenanceWait }: { now: number; maintenanceWait: number },
): LineDecision {
  const ordered = line.toSorted((a, b) => a.linedUpAt - b.linedUpAt || (a.id < b.id ? -1 : 1))
  // In the way of those that come next: first who was let go, then who stands before.
  const inTheWay: { id: string; role: Role }[] = ordered
    .filter(job => !job.held)
    .map(job => ({ id: job.id, role: roleOf(job) }))
    .filter(({ role }) => role !== 'free')
  const decision: LineDecision = { release: [], wait: [] }
  for (const job of ordered) {
    if (!job.held || !job.ripe) continue
    const role = roleOf(job)
    const patient = role === 'exclusive' || now - job.linedUpAt < maintenanceWait
    const blocker = inTheWay.find(other => role === 'exclusive' || other.role === 'exclusive')
    const waits = blocker !== undefined && job.kind !== 'unlock' && role !== 'free' && patient
    if (waits) decision.wait.push({ id: job.id, waitsFor: blocker.id })
    else decision.release.push(job.id)
    if (role !== 'free') inTheWay.push({ id: job.id, role })
  }
  return decision
}
