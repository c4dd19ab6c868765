// The agent as a whole: what it opens, in which order, and how it is put to rest.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { AgentLimits } from '@restic-manager/contract/agent'
import { MAX_BLOCK_BYTES } from '@restic-manager/contract/log'
import type { Log } from '@restic-manager/runtime/log'
import { openAppliedConfig } from './applied-config.ts'
import type { AgentConfig } from './config.ts'
import { nextFact, pruneFacts } from './facts.ts'
import { makePrivateFolder } from './files.ts'
import { openKeys, readEnrolment } from './identity.ts'
import { pruneJobs } from './job-book.ts'
import { complaintAboutServer } from './join.ts'
import { keepLinked } from './keep-linked.ts'
import { noteLink, readLinkStatus } from './link-status.ts'
import { openLogSpool } from './log-spool.ts'
import { pauseFor } from './pause.ts'
import { openReserve } from './reserve.ts'
import { usualPolicy } from './policy-places.ts'
import { policySummary, readHostPolicy } from './policy.ts'
import { sweepLentAccess } from './restic/lend-access.ts'
import { findRestic, type Restic } from './restic/version.ts'
import { startRunner } from './runner.ts'
import { openSchedules } from './schedules.ts'
import { createServerTime } from './server-time.ts'
import { pruneSlots } from './slot-book.ts'
import { spoolRoom } from './spool-room.ts'
import { lockState } from './state-lock.ts'
import { openState, type State } from './state.ts'
import { giveBackPages } from './store.ts'
import { createTelemetry } from './telemetry.ts'
import { systemClock, type Clock } from './timers.ts'

export type RunningAgent = {
  readonly state: State
  /** Interrupts what runs, tells the server as much as it will hear, and closes. Safe to call twice. */
  stop(): Promise<void>
}

/** The agent cannot start as things are. The message says what to do. */
export class CannotStart extends Error {}

/** Until the server has said what it wants. */
const usualLimits: AgentLimits = {
  logBlockBytes: MAX_BLOCK_BYTES,
  logFlushMs: 250,
  logBytesPerSecond: 1024 * 1024,
  progressIntervalMs: 1_000,
}
/** How long the last facts may take to reach the server when the agent stops. They are on disk in any case. */
const farewellMs = 3_000
const hourMs = 3_600_000
/** Between two steps of giving back what a long outage took of the disk. */
const breathMs = 10_000
const jobsKeptMs = 90 * 24 * hourMs

/** Starts the agent of an enrolled state directory. Throws `CannotStart` or `StateInUse` when it cannot. */
export async function startAgent(
  config: AgentConfig,
  log: Log,
  clock: Clock = systemClock,
): Promise<RunningAgent> {
  const { stateDir, timing } = config
  const enrolment = readEnrolment(stateDir)
  if (enrolment === undefined)
    throw new CannotStart(
      `${stateDir} is not enrolled. Run: agent enrol --server URL --token TOKEN --state-dir ${stateDir}`,
    )
  const complaint = complaintAboutServer(enrolment.serverUrl, enrolment.allowPlainHttp)
  if (complaint !== undefined) throw new CannotStart(complaint)

  const folders = {
    cache: join(stateDir, 'cache'),
    temp: join(stateDir, 'temp'),
    programs: config.programs,
  }
  makePrivateFolder(stateDir)
  const lock = lockState(stateDir)
  const reserve = openReserve(stateDir, log)
  rmSync(folders.temp, { recursive: true, force: true }) // what an agent that was killed left there
  // An agent that cannot start on a full disk would not tell how its jobs ended.
  const open = <T>(work: () => T) => reserve.spend('all', work)
  for (const folder of [folders.cache, folders.temp]) open(() => makePrivateFolder(folder))
  sweepLentAccess(folders)
  openKeys(stateDir) // before anything starts: one that is damaged has to be named
  const state = openState(stateDir, log, clock, reserve)
  const spool = open(() => openLogSpool(stateDir, log, { budget: config.logBudget, reserve }))
  const telemetry = createTelemetry(state, spool, log)
  const applied = openAppliedConfig(stateDir, log, reserve)
  let limits = usualLimits

  const policy = readHostPolicy(
    config.policyFile,
    open(() => usualPolicy(stateDir, applied.current().repositories)),
  )
  if (policy.problem !== undefined)
    log.error(
      { problem: policy.problem },
      'the policy file of this host is not followed; nothing it could allow is allowed',
    )
  const restic = keepFinding(config, log)
  noteLink(state, { state: 'connecting', resticVersion: (await restic())?.version ?? null })
  const shared = { state, config: applied, spool, telemetry, policy, restic, timing, log }
  const serverTime = createServerTime(clock, timing, log)
  const schedules = openSchedules({
    ...shared,
    ...{ serverTime, hostId: enrolment.hostId },
    policy: () => policySummary(policy),
    onJobs: () => runner.consider(),
    hasRoom: () => spoolRoom(state) !== 'none',
  })
  // What is too late to begin ends before anything else can.
  const runner = startRunner({ ...shared, enrolment, folders, limits: () => limits }, schedules.noticeSleep)
  schedules.start()
  let callOffTidying = () => {}
  tidy()
  const refilling = setInterval(reserve.refill, timing.diskRetry)

  const ending = new AbortController()
  const parts = {
    ...shared,
    runner,
    schedules,
    serverTime,
    onLimits: (wanted: AgentLimits) => void (limits = wanted),
  }
  const linked = keepLinked({ stateDir, enrolment, parts, timing, log }, ending.signal)

  function tidy() {
    let isMore = false
    try {
      pruneFacts(state, timing.factsKept)
      pruneSlots(state, timing.factsKept)
      for (const jobId of pruneJobs(state, jobsKeptMs)) spool.forget(jobId)
      isMore = state.ifRoom(() => giveBackPages(state))
    } catch (error) {
      log.warn({ err: error }, 'what is old could not be cleared away; it is tried again in an hour')
    }
    callOffTidying = clock.after(isMore ? breathMs : hourMs, tidy)
  }

  let stopped: Promise<void> | undefined
  async function stop() {
    log.info('stopping')
    callOffTidying()
    clearInterval(refilling)
    schedules.stop()
    await runner.stop()
    await factsTold(state, AbortSignal.timeout(farewellMs))
    ending.abort()
    await linked
    spool.close()
    state.close()
    lock.release()
    log.info('stopped')
  }
  return { state, stop: () => (stopped ??= stop()) }
}

/** restic is looked for until it is found, and asked its version anew before each job: packages are upgraded. */
function keepFinding(config: AgentConfig, log: Log): () => Promise<Restic | null> {
  let last: string | null | undefined
  return async () => {
    const found = await findRestic(config.restic, config.searchPath)
    const now = found === null ? null : `${found.version} at ${found.path}`
    if (now !== last) {
      if (now === null) log.error('no usable restic was found; jobs will fail until there is one')
      else log.info({ restic: now }, 'restic found')
    }
    last = now
    return found
  }
}

/** Resolves when nothing is left to tell, or when `signal` aborts. */
async function factsTold(state: State, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && readLinkStatus(state)?.state === 'connected' && nextFact(state) !== undefined)
    await pauseFor(50, signal)
}
