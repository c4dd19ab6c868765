// Sends facts, one at a time: what the server waits for first, then the rest in the order it happened.
import { CommandAnswer } from '@restic-manager/contract/command'
import { ScheduleFireAnswer } from '@restic-manager/contract/schedule'
import type { Log } from '@restic-manager/runtime/log'
import { afterFailure, sentenceOf } from './failure.ts'
import { ackFact, nextFact, recordFact, setFactAside, type Fact } from './facts.ts'
import type { JobFinished } from '@restic-manager/contract/job'
import { keepAnswer } from './job-intake.ts'
import { keepFireAnswer, releaseFire } from './slot-book.ts'
import type { State } from './state.ts'
import { pauseFor } from './pause.ts'

export type Outbox = {
  state: State
  /** Resolves with the server's answer once the fact is committed there. */
  send(fact: Fact): Promise<unknown>
  /** The server has answered a fact that something here waits for. Called after the answer is on disk. */
  onAnswer(): void
  /** The server refused a fact for good. */
  onSetAside(): void
  /** A fact about the job is committed. */
  onTold(fact: Fact): void
  log: Log
  signal: AbortSignal
}

/**
 * Sends facts until `signal` aborts, or until the server says that this session may not speak ('redial').
 * A fact leaves the queue only when it is committed on the other end, or when it never can be.
 */
export async function sendFacts(outbox: Outbox): Promise<'closed' | 'redial'> {
  const { state, log, signal } = outbox
  let failures = 0
  while (!signal.aborted) {
    const fact = nextFact(state)
    if (fact === undefined) {
      await state.factsBell.heard(signal)
      continue
    }
    const { lane, seq } = fact.message
    try {
      const answer = await outbox.send(fact)
      state.vital(() => {
        ackFact(state, fact.message)
        if (fact.name === 'command.result')
          keepAnswer(state, fact.message.jobId, CommandAnswer.parse(answer).proceed)
        if (fact.name === 'schedule.fire' && fact.message.decidedBy === 'server')
          keepFireAnswer(state, seq, ScheduleFireAnswer.parse(answer).jobs)
      })
      failures = 0
      if (lane === 'first') outbox.onAnswer()
      outbox.onTold(fact)
    } catch (error) {
      if (signal.aborted) return 'closed'
      const why = sentenceOf(error)
      const next = afterFailure(error)
      if (next === 'redial') {
        log.warn({ fact: fact.name, lane, seq, why }, 'the server does not take facts in this session')
        return 'redial'
      }
      if (next === 'setAside') {
        log.error(
          { fact: fact.name, lane, seq, why },
          'the server will never take this fact; it is set aside',
        )
        state.vital(() => {
          setFactAside(state, fact.message, why)
          if (fact.name === 'job.finished') tellInShort(state, fact.message)
          if (fact.name === 'schedule.fire') releaseFire(state, seq)
        })
        outbox.onSetAside()
        if (lane === 'first') outbox.onAnswer()
        continue
      }
      failures += 1
      log.warn({ fact: fact.name, lane, seq, why, failures }, 'a fact was not answered; it is sent again')
      await pauseFor(Math.random() * Math.min(10_000, 250 * 2 ** failures), signal)
    }
  }
  return 'closed'
}

/** A job must not run for ever on the other end because one word about its end was wrong: the bare end is told. */
function tellInShort(state: State, finished: JobFinished): void {
  const { jobId, kind, repositoryId, scheduleId, scheduledAt, retryOf, status, finishedAt, lastLogSeq } =
    finished
  if (finished.warnings.length === 0 && finished.stats === undefined && finished.error === undefined) return
  const header = {
    ...{ jobId, kind, repositoryId },
    ...(scheduleId === undefined ? {} : { scheduleId }),
    ...(scheduledAt === undefined ? {} : { scheduledAt }),
    ...(retryOf === undefined ? {} : { retryOf }),
  }
  recordFact(state, 'job.finished', { ...header, status, finishedAt, lastLogSeq, warnings: [] }, { jobId })
}
