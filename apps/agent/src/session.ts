// What happens on one connection: hello, then orders in, facts and telemetry out, until it is over.
import { AgentWelcome, type AgentLimits } from '@restic-manager/contract/agent'
import { MAX_BLOCK_BYTES } from '@restic-manager/contract/log'
import type { ConfigAck } from '@restic-manager/contract/repository'
import { toInstant } from '@restic-manager/contract/scalars'
import type { ScheduleAck } from '@restic-manager/contract/schedule'
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import type { AppliedConfig } from './applied-config.ts'
import { afterFailure, sentenceOf } from './failure.ts'
import { createDoorbell } from './doorbell.ts'
import { isOlderThan, reconcileFacts, type Fact } from './facts.ts'
import { helloOf } from './hello.ts'
import type { Link } from './link.ts'
import { noteLink } from './link-status.ts'
import type { LogSpool } from './log-spool.ts'
import { openOrderDesk } from './orders.ts'
import { sendFacts } from './outbox.ts'
import { pauseFor } from './pause.ts'
import type { HostPolicy } from './policy.ts'
import type { Restic } from './restic/version.ts'
import type { Runner } from './runner.ts'
import { openScheduleDesk } from './schedule-desk.ts'
import type { Schedules } from './schedules.ts'
import type { ServerTime } from './server-time.ts'
import { spoolReport } from './spool-report.ts'
import type { State } from './state.ts'
import type { Telemetry } from './telemetry.ts'
import { tellNewest } from './tell-newest.ts'
import type { Clock } from './timers.ts'

export type SessionParts = {
  state: State
  config: AppliedConfig
  spool: LogSpool
  telemetry: Telemetry
  runner: Runner
  schedules: Schedules
  serverTime: ServerTime
  policy: HostPolicy
  restic(): Promise<Restic | null>
  onLimits(limits: AgentLimits): void
  onRotateKey(): void
  timing: Timing
  log: Log
}

/**
 * Says hello on a fresh link, and works on it until it is closed. `onWelcome` is called once the server has answered.
 * Rejects when hello is refused.
 */
export async function speak(parts: SessionParts, link: Link, onWelcome: () => void): Promise<void> {
  const { state, log, timing, telemetry } = parts
  const { api, closed } = link
  const { clock } = state
  const answerIn = () => ({ signal: AbortSignal.any([closed, AbortSignal.timeout(timing.answer)]) })

  const restic = await parts.restic()
  const saidAt = clock.steady()
  const hello = helloOf(state, parts.config, restic?.version ?? null, parts.policy)
  const { data: welcome } = AgentWelcome.safeParse(await api.agent.hello.mutate(hello, answerIn()))
  if (welcome === undefined) throw new Error('the server answered hello in a way this agent does not know')
  const limits = withinReason(welcome.limits)
  const heartbeatMs = within(welcome.heartbeatIntervalMs, 1_000, 300_000)
  onWelcome()
  parts.onLimits(limits)
  noteLink(state, {
    ...contact(clock),
    state: 'connected',
    serverVersion: welcome.serverVersion,
    resticVersion: restic?.version ?? null,
  })
  log.info({ hostId: welcome.hostId, serverVersion: welcome.serverVersion }, 'connected')
  parts.serverTime.heard(welcome.serverTime, saidAt)
  if (hello.spoolEpoch !== state.epoch)
    throw new Error('the spool of this host was damaged and begun anew in the middle of hello')
  if (isOlderThan(state, welcome.ackedSeq)) {
    // New facts under old numbers would pass for committed ones and never be told.
    state.renewEpoch()
    throw new Error('the spool of this host was put back from a copy; all it holds is told anew')
  }
  for (const end of reconcileFacts(state, welcome.ackedSeq)) parts.spool.owe(end.jobId, end.lastLogSeq)
  // It may have been put back to a moment after the last fact it has and before the end of a log.
  for (const log of parts.spool.inDoubt({ epoch: state.epoch, ...welcome.ackedSeq }))
    parts.spool.owe(log.jobId, log.lastSeq)

  const stopFollowing = state.onLost(() => link.close('the spool of this host was damaged and begun anew'))

  const acks = { closed, onRefused: giveUpUnlessAgain }
  const ackConfig = tellNewest<ConfigAck>(ack => api.config.ack.mutate(ack, answerIn()), acks)
  const ackPlan = tellNewest<ScheduleAck>(ack => api.schedule.ack.mutate(ack, answerIn()), acks)

  const takeOrder = openOrderDesk({
    ...parts,
    onApplied(version) {
      parts.schedules.look() // a set may have waited for it
      ackConfig({ version, appliedAt: toInstant(clock.now()) })
    },
    onStuck: why => link.close(why),
    closed,
  })
  const orders = api.agent.orders.subscribe(undefined, {
    onData: takeOrder,
    onError: error => link.close(sentenceOf(error)),
    onComplete: () => link.close('the server ended the stream of orders'),
  })

  const plan = api.schedule.set.subscribe(undefined, {
    onData: openScheduleDesk(parts, ackPlan),
    onError: error => {
      if (afterFailure(error) !== 'setAside') link.close(sentenceOf(error))
      else log.warn({ why: sentenceOf(error) }, 'the server sends no schedules; it may be too old')
    },
    onComplete: () => link.close('the server ended the stream of schedules'),
  })

  function giveUpUnlessAgain(error: unknown) {
    if (!closed.aborted && afterFailure(error) === 'redial') link.close(sentenceOf(error))
  }

  /** Rings when there is something to tell that should not wait for the next beat. */
  const beatBell = createDoorbell()

  async function beat() {
    while (!closed.aborted) {
      const sentAt = clock.steady()
      const spool = spoolReport(state, parts.spool)
      await api.agent.heartbeat
        .mutate({ sentAt: toInstant(clock.now()), spool }, answerIn())
        .then(({ serverTime }) => {
          parts.serverTime.heard(serverTime, sentAt)
          noteLink(state, contact(clock))
        })
        .catch(giveUpUnlessAgain)
      const early = new AbortController()
      const over = AbortSignal.any([closed, early.signal])
      await Promise.race([pauseFor(heartbeatMs, over), beatBell.heard(over)])
      early.abort()
    }
  }

  async function tellFacts() {
    const ended = await sendFacts({
      state,
      log,
      signal: closed,
      send: fact => sendFact(link, fact, answerIn()),
      onAnswer() {
        parts.schedules.look()
        parts.runner.consider()
      },
      onSetAside() {
        beatBell.ring()
        telemetry.wake()
      },
      onTold: () => telemetry.wake(),
    })
    if (ended === 'redial') link.close('the server does not accept this session any more')
  }

  const wire = {
    progress: (message: Parameters<typeof api.job.progress.mutate>[0]) =>
      api.job.progress.mutate(message, answerIn()),
    log: (block: Parameters<typeof api.log.stream.mutate>[0]) => api.log.stream.mutate(block, answerIn()),
    repoStats: (stats: Parameters<typeof api.repo.stats.mutate>[0]) =>
      api.repo.stats.mutate(stats, answerIn()),
  }
  parts.schedules.linked(true)
  try {
    await Promise.all([tellFacts(), beat(), telemetry.send(wire, limits, closed)])
  } finally {
    stopFollowing()
    parts.schedules.linked(false)
    orders.unsubscribe()
    plan.unsubscribe()
  }
}

function sendFact({ api }: Link, fact: Fact, options: { signal: AbortSignal }): Promise<unknown> {
  switch (fact.name) {
    case 'schedule.fire':
      return api.schedule.fire.mutate(fact.message, options)
    case 'schedule.notRun':
      return api.schedule.notRun.mutate(fact.message, options)
    case 'command.result':
      return api.command.result.mutate(fact.message, options)
    case 'job.started':
      return api.job.started.mutate(fact.message, options)
    case 'job.finished':
      return api.job.finished.mutate(fact.message, options)
    case 'snapshots.report':
      return api.snapshots.report.mutate(fact.message, options)
  }
}

/** A server may want less or more of this host, but not all of its memory or time. */
function withinReason(limits: AgentLimits): AgentLimits {
  return {
    logBlockBytes: within(limits.logBlockBytes, 1_024, MAX_BLOCK_BYTES),
    logFlushMs: within(limits.logFlushMs, 10, 60_000),
    logBytesPerSecond: within(limits.logBytesPerSecond, 1_024, 1024 ** 3),
    progressIntervalMs: within(limits.progressIntervalMs, 10, 60_000),
  }
}

const within = (value: number, least: number, most: number) => Math.min(Math.max(value, least), most)

const contact = (clock: Clock) => ({ lastContactAt: toInstant(clock.now()) })
