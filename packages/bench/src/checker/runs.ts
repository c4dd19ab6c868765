// I1: a job starts at most once, nothing runs that is no job, and a retry is a job of its own.
import { EndStatus } from '@restic-manager/contract/job'
import { retryJobId } from '@restic-manager/contract/slots'
import { shownBy, glance, type Check, type JobRow, type ResticRun, type World } from './world.ts'
import type { Violation } from './evidence.ts'

export const checkRuns: Check = world => {
  const backups = world.runs.filter(run => run.command === 'backup')
  return [
    ...ranTwice(world, backups),
    ...ranUnknown(world, backups),
    ...ranUntold(world, backups),
    ...shownBy(
      'I1',
      'A retry does not stand on its own feet.',
      [...world.jobs.values()].flatMap(faultOfRetry(world)),
    ),
  ]
}

const lockedExits = new Set<number | null | undefined>([1, 11])

/** restic says that the repository is locked before it reads anything, so the same run tries again: that is one start. */
function ranTwice({ books }: World, backups: readonly ResticRun[]): Violation[] {
  const twice = [...Map.groupBy(backups, run => run.runJobId)].flatMap(([jobId, runs]) => {
    const first = runs.findIndex(run => !lockedExits.has(run.exitCode))
    return jobId === undefined || first === -1 || first === runs.length - 1
      ? []
      : { jobId, runs: runs.map(({ run, pid, startedAt, exitCode }) => ({ run, pid, startedAt, exitCode })) }
  })
  const begun = books.flatMap(({ hostId, jobs }) =>
    jobs.filter(({ starts = 0 }) => starts > 1).map(job => ({ hostId, job })),
  )
  return [
    ...shownBy('I1', 'restic ran again for a job that had run.', twice),
    ...shownBy('I1', 'An agent began the work of a job more than once.', begun),
  ]
}

function ranUnknown({ jobs, books }: World, backups: readonly ResticRun[]): Violation[] {
  const untagged = backups.filter(run => run.runJobId === undefined)
  const begun = books.flatMap(book =>
    book.jobs.filter(job => (job.starts ?? 0) > 0).map(({ jobId }) => jobId),
  )
  const ran = [...backups.flatMap(run => run.runJobId ?? []), ...begun]
  const unknown = [...new Set(ran)].filter(id => !jobs.has(id))
  return [
    ...shownBy(
      'I1',
      'A backup ran that belongs to no job.',
      untagged.map(({ run, argv }) => ({ run, argv })),
    ),
    ...shownBy(
      'I1',
      'What ran is no job in the database.',
      unknown.map(jobId => ({ jobId })),
    ),
  ]
}

/** How jobs end that an agent finds begun when it starts: the second when somebody has cancelled them meanwhile. */
const endsOfDead = new Set<unknown>(['agent_restarted', 'cancelled_by_operator'])

/** What ran was told as started, unless its agent died before it could: then its end says so. And it cannot stand as not run. */
function ranUntold({ jobs, books }: World, backups: readonly ResticRun[]): Violation[] {
  const facts = books.flatMap(book => book.facts)
  const started = new Set(
    facts.filter(fact => fact.name === 'job.started').map(fact => fact.message['jobId']),
  )
  const ended = facts.filter(fact => fact.name === 'job.finished')
  const diedFirst = new Set(
    ended.filter(({ message }) => endsOfDead.has(message['reason'])).map(({ message }) => message['jobId']),
  )
  const simulated = books.flatMap(book =>
    book.simulated === undefined ? [] : book.jobs.filter(job => job.starts === 1),
  )
  const ran = [
    ...new Set([...backups.flatMap(run => run.runJobId ?? []), ...simulated.map(job => job.jobId)]),
  ]
  const rows = ran.flatMap(id => jobs.get(id) ?? [])
  const isEnd = (status: string) => (EndStatus.options as readonly string[]).includes(status)
  return [
    ...shownBy(
      'I1',
      'A job ran and its agent never told that it started.',
      rows.filter(({ id }) => !started.has(id) && !diedFirst.has(id)).map(glance),
    ),
    ...shownBy(
      'I1',
      'A job ran and its row does not say how that ended.',
      rows.filter(row => !row.reported || !isEnd(row.status)).map(glance),
    ),
  ]
}

const faultOfRetry =
  ({ jobs }: World) =>
  (row: JobRow): unknown[] => {
    if (row.retryOf === null) return []
    const root = jobs.get(row.retryOf)
    const isDerived = row.id === retryJobId(row.retryOf, row.attempt)
    const stands = root !== undefined && root.retryOf === null && root.kind === row.kind
    return isDerived && stands ? [] : [{ ...glance(row), retryOf: row.retryOf, attempt: row.attempt }]
  }
