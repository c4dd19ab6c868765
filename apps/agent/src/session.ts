// What happens on one connection: hello, then orders in, facts and telemetry out, until it is over.
import { AgentWelcome, type AgentLimits } from '@restic-manager/contract/agent'
import { MAX_BLOCK_BYTES } from '@restic-manager/contract/log'
import { toInstant } from '@restic-manager/contract/scalars'
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import type { AppliedConfig } from './applied-config.ts'
import { afterFailure, sentenceOf } from './failure.ts'
import { factDepth, isOlderThan, reconcileFacts, type Fact } from './facts.ts'
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
import type { State } from './state.ts'
import type { Telemetry } from './telemetry.ts'

export type SessionParts = {
  state: State
  config: AppliedConfig
  spool: LogSpool
  telemetry: Telemetry
  runner: Runner
  policy: HostPolicy
  restic(): Promise<Restic | null>
  onLimits(limits: AgentLimits): void
  timing: Timing
  log: Log
}

/** A clock this far off the server's is worth a warning: times in the dashboard would look wrong. */
const skewWarnedMs = 30_000

/**
 * Says hello on a fresh link, and works on it until it is closed. `onWelcome` is called once the server has answered.
 * Rejects when hello is refused.
 */
export async function speak(parts: SessionParts, link: Link, onWelcome: () => void): Promise<void> {
  const { state, log, timing, telemetry } = parts
  const { api, closed } = link
  const answerIn = () => ({ signal: AbortSignal.any([closed, AbortSignal.timeout(timing.answer)]) })

  const restic = await parts.restic()
  const saidAt = Date.now()
  const hello = helloOf(state, parts.config, restic?.version ?? null, parts.policy)
  const { data: welcome } = AgentWelcome.safeParse(await api.agent.hello.mutate(hello, answerIn()))
  if (welcome === undefined) throw new Error('the server answered hello in a way this agent does not know')
  const limits = withinReason(welcome.limits)
  const heartbeatMs = within(welcome.heartbeatIntervalMs, 1_000, 300_000)
  onWelcome()
  parts.onLimits(limits)
  noteLink(state, {
    ...contact(),
    state: 'connected',
    serverVersion: welcome.serverVersion,
    resticVersion: restic?.version ?? null,
  })
  log.info({ hostId: welcome.hostId, serverVersion: welcome.serverVersion }, 'connected')
  warnOfSkew(log, welcome, saidAt)
  if (isOlderThan(state, welcome.ackedSeq)) {
    // New facts under old numbers would pass for committed ones and never be told.
    state.renewEpoch()
    throw new Error('the spool of this host was put back from a copy; all it holds is told anew')
  }
  for (const end of reconcileFacts(state, welcome.ackedSeq)) parts.spool.owe(end.jobId, end.lastLogSeq)

  const takeOrder = openOrderDesk({
    ...parts,
    onApplied: version =>
      void api.config.ack
        .mutate({ version, appliedAt: toInstant(Date.now()) }, answerIn())
        .catch(error => giveUpUnlessAgain(error)),
    onStuck: why => link.close(why),
  })
  const orders = api.agent.orders.subscribe(undefined, {
    onData: takeOrder,
    onError: error => link.close(sentenceOf(error)),
    onComplete: () => link.close('the server ended the stream of orders'),
  })

  function giveUpUnlessAgain(error: unknown) {
    if (!closed.aborted && afterFailure(error) === 'redial') link.close(sentenceOf(error))
  }

  async function beat() {
    while (!closed.aborted) {
      const sentAt = Date.now()
      const spool = { facts: factDepth(state).waiting, logBytes: parts.spool.bytes() }
      await api.agent.heartbeat
        .mutate({ sentAt: toInstant(sentAt), spool }, answerIn())
        .then(() => noteLink(state, contact()), giveUpUnlessAgain)
      await pauseFor(heartbeatMs, closed)
    }
  }

  async function tellFacts() {
    const ended = await sendFacts({
      state,
      log,
      signal: closed,
      send: fact => sendFact(link, fact, answerIn()),
      onAnswer: jobId => parts.runner.answered(jobId),
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
  try {
    await Promise.all([tellFacts(), beat(), telemetry.send(wire, limits, closed)])
  } finally {
    orders.unsubscribe()
  }
}

function sendFact({ api }: Link, fact: Fact, options: { signal: AbortSignal }): Promise<unknown> {
  switch (fact.name) {
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

const contact = () => ({ lastContactAt: toInstant(Date.now()) })

function warnOfSkew(log: Log, welcome: AgentWelcome, saidAt: number): void {
  const middle = (saidAt + Date.now()) / 2
  const skewMs = Math.round(middle - Date.parse(welcome.serverTime))
  if (Math.abs(skewMs) > skewWarnedMs)
    log.warn(
      { skewMs },
      'the clock of this host and that of the server differ; times in the dashboard will look wrong',
    )
}
