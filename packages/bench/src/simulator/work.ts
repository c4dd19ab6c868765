// The work of one simulated job: no restic, but everything an agent tells while one runs, and the ending it comes to.
import { encodeGap, encodeLine } from '@restic-manager/contract/log'
import type { EndStatus } from '@restic-manager/contract/job'
import { toInstant } from '@restic-manager/contract/scalars'
import { snapshotTags, type Snapshot } from '@restic-manager/contract/snapshots'
import type { Random, SimulatedBehaviour } from './agent-options.ts'
import { addFact, withdrawFact, type Disk, type DiskJob } from './disk.ts'
import { makeId } from './join.ts'
import { between } from './life.ts'

/** How a job will go when nothing stops it: how long, with how many lines of log cut in how many blocks, and its end. */
export type Course = {
  workMs: number
  blocks: number[]
  status: EndStatus
  reason?: string
  exitCode: number
}

/** So many lines fit into the largest block that an agent cuts, with a gap before them. */
const MOST_BLOCK_LINES = 600

const failures = ['unreachable', 'storage_full', 'killed', 'failed'] as const

/** Draws the course of a job. */
export function drawCourse(random: Random, behaviour: Required<SimulatedBehaviour>, kind: string): Course {
  const { workMs, logLines, failing, incomplete } = behaviour
  const lines = between(random, 0, logLines)
  const cuts = Math.max(Math.min(lines, between(random, 1, 6)), Math.ceil(lines / MOST_BLOCK_LINES))
  const blocks = Array.from({ length: cuts }, (_, at) => Math.ceil((lines - at) / cuts))
  const drawn = { workMs: between(random, workMs.least, workMs.most), blocks }
  const luck = random()
  if (luck < failing) {
    const reason = failures[between(random, 0, failures.length - 1)] ?? 'failed'
    return { ...drawn, status: 'failed', reason, exitCode: 1 }
  }
  if (luck < failing + incomplete && kind === 'backup')
    return { ...drawn, status: 'incomplete', reason: 'sources_unread', exitCode: 3 }
  return { ...drawn, status: 'succeeded', exitCode: 0 }
}

/** Cuts a block of that many lines at the end of a job's log. Now and then a gap stands for some of them. */
export function cutBlock(disk: Disk, jobId: string, count: number, random: Random): void {
  const log = disk.logs.get(jobId) ?? { blocks: [], nextSeq: 0 }
  disk.logs.set(jobId, log)
  const firstSeq = lastLogSeq(disk, jobId) + 1
  const dropped = random() < 0.1 ? between(random, 1, 1_000) : 0
  const gap =
    dropped === 0
      ? ''
      : encodeGap(0, { count: dropped, bytes: dropped * 40, reason: 'restic said more than can be kept' })
  const lines = Array.from({ length: count }, (_, n) =>
    encodeLine(n, n % 7 === 0 ? 'stderr' : 'stdout', `line ${firstSeq + n} of ${jobId}\t${makeId(random)}\\`),
  )
  log.blocks.push({
    jobId,
    firstSeq,
    count: dropped + count,
    startedAt: toInstant(Date.now()),
    block: gap + lines.join(''),
  })
  disk.unsent.add(jobId)
}

/** The last number of a job's log; −1: it has none. */
export function lastLogSeq({ logs }: Disk, jobId: string): number {
  const last = logs.get(jobId)?.blocks.at(-1)
  return last === undefined ? -1 : last.firstSeq + last.count - 1
}

/** How a job ends, as its fact says it. */
export type Ending = { status: EndStatus; reason?: string; exitCode?: number; snapshotMade?: boolean }

/** Writes the one end of a job down, with its snapshot and the list of them. False: it has ended before. */
export function endJob(disk: Disk, job: DiskJob, ending: Ending, random: Random): boolean {
  if (!disk.open.delete(job.header.jobId)) return false
  const { status, reason, exitCode } = ending
  const last = lastLogSeq(disk, job.header.jobId)
  job.state = 'ended'
  job.end = { status, lastLogSeq: last, ...(reason === undefined ? {} : { reason }) }
  addFact(disk, 'job.finished', {
    ...job.header,
    ...job.end,
    ...(exitCode === undefined ? {} : { exitCode }),
    finishedAt: toInstant(Date.now()),
    warnings:
      status === 'incomplete'
        ? [{ code: 'unread', path: '/data/locked', message: 'It could not be read.' }]
        : [],
    stats: { files_new: between(random, 0, 1_000), total_duration: 1.5, dryRun: job.dryRun },
  })
  if (ending.snapshotMade === true) {
    saveSnapshot(disk, job, random)
    reportSnapshots(disk, job.header.repositoryId, random)
  }
  return true
}

const KEPT_SNAPSHOTS = 12
const PAGE = 5

function saveSnapshot(disk: Disk, { header }: DiskJob, random: Random): void {
  const { jobId, repositoryId, scheduleId } = header
  const id = Array.from({ length: 64 }, () => Math.floor(random() * 16).toString(16)).join('')
  const snapshot: Snapshot = {
    id,
    shortId: id.slice(0, 8),
    time: toInstant(Date.now()),
    hostname: disk.hostname,
    paths: ['/data'],
    tags: [
      snapshotTags.host(disk.hostId),
      snapshotTags.job(jobId),
      ...(scheduleId === undefined ? [] : [snapshotTags.schedule(scheduleId)]),
    ],
    sizeBytes: between(random, 0, 1_000_000),
    fileCount: between(random, 0, 1_000),
  }
  disk.snapshots.set(
    repositoryId,
    [...(disk.snapshots.get(repositoryId) ?? []), snapshot].slice(-KEPT_SNAPSHOTS),
  )
}

/** The whole list as one report of several pages. Pages of an older report that nobody has yet are not told any more. */
function reportSnapshots(disk: Disk, repositoryId: string, random: Random): void {
  for (const fact of disk.waiting.rest.filter(({ name }) => name === 'snapshots.report'))
    if (fact.message['repositoryId'] === repositoryId) withdrawFact(disk, fact)
  const all = disk.snapshots.get(repositoryId) ?? []
  const pages = Math.max(1, Math.ceil(all.length / PAGE))
  const reportId = makeId(random)
  for (let page = 0; page < pages; page += 1) {
    const snapshots = all.slice(page * PAGE, (page + 1) * PAGE)
    addFact(disk, 'snapshots.report', { repositoryId, reportId, scope: 'own', page, pages, snapshots })
  }
}
