// What may be late or lost: progress, newest wins; log blocks, in order and behind the facts; the state of repositories.
import type { AgentLimits } from '@restic-manager/contract/agent'
import type { JobProgress, Progress } from '@restic-manager/contract/job'
import type { LogAnswer, LogStreamBlock } from '@restic-manager/contract/log'
import type { RepoStats } from '@restic-manager/contract/repository'
import type { Log } from '@restic-manager/runtime/log'
import { createDoorbell } from './doorbell.ts'
import { afterFailure, sentenceOf, serverWord } from './failure.ts'
import { nextFact, numberedSoFar } from './facts.ts'
import { mayTellLog } from './job-book.ts'
import type { LogSpool } from './log-spool.ts'
import { pauseFor } from './pause.ts'
import { createPieceSize } from './piece-size.ts'
import type { State } from './state.ts'
import { steady } from './timers.ts'

export type TelemetryWire = {
  progress(message: JobProgress): Promise<unknown>
  log(block: LogStreamBlock): Promise<LogAnswer>
  repoStats(message: RepoStats): Promise<unknown>
}

export type Telemetry = {
  progress(jobId: string, progress: Progress): void
  /** The job has ended: what was not sent of its progress is worthless. */
  settle(jobId: string): void
  /** The newest word on a repository. What an earlier one said about other things stays. */
  repoStats(stats: RepoStats): void
  /** The sizes that belong to the word said last. */
  repoSizes(repositoryId: string, sizes: Partial<RepoStats>): void
  /** Log blocks of this job may be waiting for this. */
  wake(): void
  /** Sends over one connection until `signal` aborts. */
  send(wire: TelemetryWire, limits: AgentLimits, signal: AbortSignal): Promise<void>
}

const waitAfter = (failures: number) => Math.random() * Math.min(10_000, 250 * 2 ** failures)

/** Makes the desk where telemetry waits for a connection. */
export function createTelemetry(state: State, spool: LogSpool, log: Log): Telemetry {
  const newest = new Map<string, Progress>()
  const stats = new Map<string, RepoStats>()
  const lastLocks = new Map<string, Pick<RepoStats, 'lockState' | 'locks'>>()
  const bell = createDoorbell()

  async function sendProgress(wire: TelemetryWire, limits: AgentLimits, signal: AbortSignal) {
    while (!signal.aborted) {
      if (newest.size === 0 && stats.size === 0) await bell.heard(signal)
      // Copies: what fails is put back, and would be met again and again by a loop over the map itself.
      for (const [repositoryId, message] of [...stats]) {
        if (signal.aborted) return
        stats.delete(repositoryId)
        await wire.repoStats(message).catch(error => {
          if (afterFailure(error) === 'setAside')
            log.warn({ repositoryId, why: sentenceOf(error) }, 'the state of a repository was refused')
          else if (!stats.has(repositoryId)) stats.set(repositoryId, message)
        })
      }
      for (const [jobId, progress] of [...newest]) {
        newest.delete(jobId)
        await wire.progress({ jobId, ...progress }).catch(() => {})
      }
      await pauseFor(limits.progressIntervalMs, signal)
    }
  }

  function nextPiece(mostBytes: number): LogStreamBlock | undefined {
    const jobId = spool.waitingJobs().findLast(jobId => mayTellLog(state, jobId))
    return jobId === undefined ? undefined : spool.oldest(jobId, mostBytes)
  }

  /** What the server never takes becomes a gap. Where that is refused, too, the whole log goes. False: the disk is full. */
  function letGo({ jobId, firstSeq }: LogStreamBlock, isAgain: boolean): boolean {
    try {
      if (isAgain) spool.forget(jobId)
      else spool.giveUp(jobId, firstSeq, 'the server could not take these lines')
      return true
    } catch (error) {
      log.warn({ jobId, firstSeq, err: error }, 'a part of a log that is refused could not be removed')
      return false
    }
  }

  async function sendLogs(wire: TelemetryWire, limits: AgentLimits, signal: AbortSignal) {
    const size = createPieceSize(limits.logBlockBytes)
    let failures = 0
    let refused: string | undefined
    while (!signal.aborted) {
      // Facts overtake logs: while one waits to be sent, no piece gets in its way.
      const piece = nextFact(state) === undefined ? nextPiece(size.bytes()) : undefined
      if (piece === undefined) {
        await spool.bell.heard(signal)
        continue
      }
      const { jobId, firstSeq } = piece
      const sentAt = steady()
      try {
        const { nextSeq } = await wire.log(piece)
        size.answered(steady() - sentAt)
        if (nextSeq < firstSeq) spool.fillHole(jobId, nextSeq, firstSeq)
        else spool.taken(jobId, nextSeq, numberedSoFar(state))
        failures = nextSeq > firstSeq ? 0 : failures + 1
        if (refused === jobId) refused = undefined
        if (failures > 0) await pauseFor(waitAfter(failures), signal)
      } catch (error) {
        if (signal.aborted) return
        failures += 1
        if (afterFailure(error) === 'setAside') {
          log.warn({ jobId, firstSeq, why: sentenceOf(error) }, 'the server does not take this part of a log')
          if (letGo(piece, refused === jobId)) refused = jobId
          else await pauseFor(waitAfter(failures), signal)
        } else {
          if (serverWord(error) === undefined) size.unanswered()
          await pauseFor(waitAfter(failures), signal)
        }
      }
      const dueMs = (Buffer.byteLength(piece.block) / limits.logBytesPerSecond) * 1000
      const early = sentAt + dueMs - steady()
      if (early > 0) await pauseFor(early, signal)
    }
  }

  function repoStats(message: RepoStats) {
    const { repositoryId, lockState, locks = [] } = message
    lastLocks.set(repositoryId, { lockState, locks })
    stats.set(repositoryId, { ...stats.get(repositoryId), ...message })
    bell.ring()
  }

  return {
    progress(jobId, progress) {
      newest.set(jobId, progress)
      bell.ring()
    },
    settle: jobId => void newest.delete(jobId),
    repoStats,
    repoSizes: (repositoryId, sizes) =>
      repoStats({ ...(lastLocks.get(repositoryId) ?? { lockState: 'unlocked' }), ...sizes, repositoryId }),
    wake: () => spool.bell.ring(),
    async send(wire, limits, signal) {
      await Promise.all([sendProgress(wire, limits, signal), sendLogs(wire, limits, signal)])
    },
  }
}
