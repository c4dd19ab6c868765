// The head of a job in numbers: the live bar while it runs, what it did once it has ended.
import { hasEnded } from '@restic-manager/contract/job-ended'
import type { Progress } from '@restic-manager/contract/job'
import type { JobView } from '@restic-manager/contract/views'
import { useNow } from '../clock.ts'
import {
  countOf,
  formatBytes,
  formatBytesOf,
  formatClock,
  formatCount,
  formatDuration,
  formatLeft,
  formatPercent,
  formatRate,
} from '../format.ts'
import type { RateSample } from '../job-live.ts'
import { summaryOf } from '../job-summary.ts'
import { useZone } from '../time-zone.ts'
import { LiveBar } from './live-bar.tsx'
import { Vitals } from './panel.tsx'
import './job-progress.css'

const phases = {
  scanning: 'Counting files',
  running: 'Reading',
  'waiting for backend': 'Waiting for the storage',
  stalled: 'No movement',
  cancelling: 'Stopping',
} as const

const meanOf = (samples: RateSample[]) =>
  samples.reduce((sum, sample) => sum + sample.rate, 0) / Math.max(1, samples.length)

/** The total is known once restic has counted everything. */
const knownShare = (progress: Progress | null): number | undefined =>
  progress === null || progress.totalBytes === 0 || progress.phase === 'scanning'
    ? undefined
    : Math.min(progress.percentDone, 0.99)

function Bar({ job, progress, online }: { job: JobView; progress: Progress | null; online: boolean }) {
  const zone = useZone()
  const now = useNow(1_000)
  const share = knownShare(progress)
  const left = progress?.etaSeconds
  const counted =
    progress === null
      ? 'restic is starting'
      : share === undefined
        ? `${formatBytes(progress.bytesDone)} · ${countOf(progress.filesDone, 'file')}`
        : `${formatBytesOf(progress.bytesDone, progress.totalBytes)} · ${formatCount(progress.filesDone)} of ${countOf(progress.totalFiles, 'file')}`
  return (
    <div className="job-bar">
      <div className="row row-wrap">
        {share !== undefined && <span className="job-percent num">{formatPercent(share)}</span>}
        {share === undefined && <span className="job-percent">{phases[progress?.phase ?? 'scanning']}</span>}
        <span className="second num">{counted}</span>
        <span className="job-left num">
          {share !== undefined && left !== undefined && online && (
            <>
              about <b>{formatLeft(left)} left</b>
              <span className="job-near">, done near {formatClock(now + left * 1_000, zone)}</span>
            </>
          )}
        </span>
      </div>
      <LiveBar share={share} thick label={`${job.hostName}, progress`} still={!online} />
    </div>
  )
}

/** While the job is open. `samples` are the rates seen so far, `warnings` the log's count of them. */
export function RunningNumbers({
  job,
  progress,
  online,
  samples,
  warnings,
}: {
  job: JobView
  progress: Progress | null
  online: boolean
  samples: RateSample[]
  warnings: number
}) {
  const now = useNow(1_000)
  const zone = useZone()
  const started = job.startedAt
  return (
    <section className="job-numbers" aria-label="Progress">
      <Bar job={job} progress={progress} online={online} />
      <Vitals
        items={[
          {
            label: 'Elapsed',
            value: started === null ? '–' : formatDuration(now - started.getTime()),
            below: started !== null && `started ${formatClock(started, zone, true)}`,
          },
          {
            label: 'Read rate',
            value: progress === null || !online ? '–' : formatRate(progress.throughputBps),
            below: samples.length > 1 && `mean ${formatRate(meanOf(samples))}`,
          },
          {
            label: 'Read',
            value: progress === null ? '–' : formatBytes(progress.bytesDone),
            below: progress !== null && countOf(progress.filesDone, 'file'),
          },
          {
            label: 'Doing',
            value: progress === null || !online ? '–' : phases[progress.phase],
            tone: progress?.phase === 'stalled' ? 'warn' : undefined,
          },
          {
            label: 'Warnings',
            value: formatCount(warnings),
            tone: warnings > 0 ? 'warn' : undefined,
            below: 'in the log so far',
          },
        ]}
      />
    </section>
  )
}

/** Once it has ended and restic has run. */
export function EndedNumbers({ job }: { job: JobView }) {
  const zone = useZone()
  const { startedAt, finishedAt } = job
  if (!hasEnded(job.status) || startedAt === null) return null
  const summary = summaryOf(job.stats)
  const took = finishedAt === null ? undefined : finishedAt.getTime() - startedAt.getTime()
  const or = <T,>(value: T | undefined, format: (value: T) => string) =>
    value === undefined ? '–' : format(value)
  const withSummary = job.kind === 'backup' && summary !== undefined
  return (
    <Vitals
      items={[
        {
          label: 'Took',
          value: or(took, formatDuration),
          below: finishedAt !== null && `ended ${formatClock(finishedAt, zone, true)}`,
        },
        ...(withSummary
          ? [
              {
                label: 'Read',
                value: or(summary?.bytes, formatBytes),
                below: summary?.files !== undefined && countOf(summary.files, 'file'),
              },
              {
                label: 'Added to the repository',
                value: or(summary?.added, formatBytes),
                below:
                  summary?.stored === undefined
                    ? 'after deduplication'
                    : `${formatBytes(summary.stored)} stored`,
              },
              {
                label: 'New · changed files',
                value:
                  summary === undefined
                    ? '–'
                    : `${or(summary.filesNew, formatCount)} · ${or(summary.filesChanged, formatCount)}`,
                below:
                  summary?.filesUnmodified !== undefined &&
                  `${formatCount(summary.filesUnmodified)} as before`,
              },
            ]
          : [{ label: 'Exit code', value: job.exitCode ?? job.signal ?? '–', below: 'of restic' }]),
        {
          label: 'Warnings',
          value: formatCount(job.warningCount),
          tone: job.warningCount > 0 ? ('warn' as const) : undefined,
          below: job.warningCount > 0 ? 'listed below' : 'none',
        },
      ]}
    />
  )
}
