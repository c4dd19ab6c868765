// What the server tells this host to do. Everything is parsed before it is acted on; what is not understood is answered or left alone.
import { AgentOrder, OrderHeader, RunOrderHeader } from '@restic-manager/contract/agent'
import { CommandRun } from '@restic-manager/contract/command'
import { JobHeader } from '@restic-manager/contract/job'
import type { ConfigUpdate } from '@restic-manager/contract/repository'
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import type { AppliedConfig } from './applied-config.ts'
import { factDepth } from './facts.ts'
import { countOpenJobs, readJob } from './job-book.ts'
import { refuseJob, repeatAnswer } from './job-intake.ts'
import { noteNewerAgent } from './newer-agent.ts'
import { isDiskFull } from './reserve.ts'
import type { Runner } from './runner.ts'
import type { State } from './state.ts'

/** More open jobs than hello can name, or more facts than any outage leaves, are no honest server's doing. */
const MOST_JOBS = 1_000
const MOST_FACTS = 100_000

export type OrderDesk = {
  state: State
  config: AppliedConfig
  runner: Runner
  /** The configuration of this version is on disk and in use. */
  onApplied(version: number): void
  /** Somebody wants this host to have another key. */
  onRotateKey(): void
  /** An order could not be taken now: the connection is to be given up, so that it comes again. */
  onStuck(why: string): void
  /** Ends with the connection. */
  closed: AbortSignal
  timing: Pick<Timing, 'diskRetry'>
  log: Log
}

/** Takes the orders of one connection, in the order they come. What waits for a configuration is forgotten with it: the server sends it again. */
export function openOrderDesk(desk: OrderDesk): (order: unknown) => void {
  const { state, config, runner, log } = desk
  const waiting = new Map<string, CommandRun>()
  /** What a full disk did not take. */
  let stuck: unknown[] = []
  let isFull = false

  function applyConfig(update: ConfigUpdate) {
    config.apply(update)
    log.info({ version: update.version, repositories: update.repositories.length }, 'configuration applied')
    desk.onApplied(update.version)
    for (const order of waiting.values()) run(order)
    runner.consider()
  }

  function run(order: CommandRun) {
    const { version } = config.current()
    if (order.configVersion > version) {
      log.info(
        { jobId: order.jobId, needed: order.configVersion, version },
        'an order waits for its configuration',
      )
      if (waiting.size >= MOST_JOBS) return leave()
      waiting.set(order.jobId, order)
      return
    }
    waiting.delete(order.jobId)
    if (mayEnter(order.jobId)) runner.order(order)
    else leave()
  }

  /** One more job would be too many; one that is known costs nothing more. */
  function mayEnter(jobId: string) {
    return (
      readJob(state, jobId) !== undefined ||
      (countOpenJobs(state) < MOST_JOBS && factDepth(state).waiting < MOST_FACTS)
    )
  }

  /** Not answered, so it comes again on a later connection if it is still wanted then. */
  function leave() {
    if (!isFull) log.error('more orders came than this host keeps; those beyond are left alone')
    isFull = true
  }

  /** Its kind or its specification is not known here, so nobody can say what running it would do. */
  function refuse(order: unknown, kind: string) {
    const run = RunOrderHeader.safeParse(order)
    if (!run.success) {
      log.error({ order: kind }, 'an order could not be read at all; it is left alone')
      return
    }
    log.warn(
      { jobId: run.data.jobId, kind: run.data.kind },
      'an order is not understood; the agent may be too old',
    )
    const why = `This agent does not understand the job "${run.data.kind}" as it was ordered. It may be too old.`
    if (!mayEnter(run.data.jobId)) return leave()
    if (!refuseJob(state, run.data, 'unsupported', why)) repeatAnswer(state, run.data)
  }

  function receive(received: unknown) {
    try {
      take(received)
    } catch (error) {
      log.error({ err: error }, 'an order could not be written down')
      // Giving up the link for a full disk would keep the ends of jobs from being told.
      if (isDiskFull(error)) keepForLater(received)
      else desk.onStuck('this host could not write an order down')
    }
  }

  function keepForLater(order: unknown) {
    if (stuck.length >= MOST_JOBS) return leave()
    if (stuck.push(order) > 1) return
    const callOff = state.clock.after(desk.timing.diskRetry, () => {
      desk.closed.removeEventListener('abort', callOff)
      const again = stuck
      stuck = []
      for (const each of again) receive(each)
    })
    desk.closed.addEventListener('abort', callOff, { once: true })
  }

  function take(received: unknown) {
    const header = OrderHeader.safeParse(received)
    if (!header.success) {
      log.error('something came that is no order; it is left alone')
      return
    }
    const kind = header.data.order
    if (kind === 'command.run') {
      const order = CommandRun.safeParse(received)
      if (order.success) run(order.data)
      else refuse(received, kind)
      return
    }
    const order = AgentOrder.safeParse(received)
    if (!order.success) {
      log.warn({ order: kind }, 'an order of a kind this agent does not know, or in a shape it does not know')
      return
    }
    switch (order.data.order) {
      case 'config.update':
        return applyConfig(order.data)
      case 'command.cancel': {
        waiting.delete(order.data.jobId)
        const named = JobHeader.safeParse(received)
        return runner.cancel(order.data.jobId, named.success ? named.data : undefined)
      }
      case 'agent.updateAvailable':
        noteNewerAgent(state, order.data)
        return log.info({ latestVersion: order.data.latestVersion }, 'a newer agent is available')
      case 'agent.rotateKey':
        return desk.onRotateKey()
      default:
    }
  }

  return receive
}
