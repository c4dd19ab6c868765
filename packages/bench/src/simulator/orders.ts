// What a server orders, taken one after another: the configuration first, then what needs it.
import { AgentOrder, OrderHeader } from '@restic-manager/contract/agent'
import { CommandRun } from '@restic-manager/contract/command'
import { JobHeader } from '@restic-manager/contract/job'
import type { ConfigUpdate } from '@restic-manager/contract/repository'
import { toInstant } from '@restic-manager/contract/scalars'
import { ScheduleSet } from '@restic-manager/contract/schedule'
import type { Life } from './life.ts'
import type { SimulatedRunner } from './runner.ts'
import type { SimulatedSlots } from './slots.ts'

export type OrderDesk = {
  takeOrder(received: unknown): void
  takeSet(received: unknown): void
}

export type DeskParts = {
  life: Life
  runner: SimulatedRunner
  slots: SimulatedSlots
  /** Tells the newest of its kind until the server has it. */
  ack(path: 'config.ack' | 'schedule.ack', payload: object): void
}

/** The desk of one connection: what waits for a configuration is forgotten with it, and comes again. */
export function openOrderDesk({ life, runner, slots, ack }: DeskParts): OrderDesk {
  const { disk } = life
  const waiting = new Map<string, CommandRun>()
  let waitingSet: ScheduleSet | undefined

  function applyConfig({ version, maxConcurrentRuns, repositories }: ConfigUpdate) {
    const mayDelete = new Map(repositories.map(each => [each.repositoryId, each.mayDelete]))
    disk.config = { version, maxConcurrentRuns, mayDelete }
    ack('config.ack', { version, appliedAt: toInstant(Date.now()) })
    if (waitingSet !== undefined) applySet(waitingSet)
    for (const order of waiting.values()) run(order)
    life.onChange()
  }

  function run(order: CommandRun) {
    waiting.delete(order.jobId)
    if (order.configVersion > disk.config.version) waiting.set(order.jobId, order)
    else runner.order(order, slots.reasonAgainst(order))
  }

  function applySet(set: ScheduleSet) {
    waitingSet = set.configVersion > disk.config.version ? set : undefined
    if (waitingSet === undefined) ack('schedule.ack', slots.apply(set))
  }

  function misread(what: string, error: unknown) {
    disk.seen.misunderstood.push({ what, why: String(error) })
  }

  return {
    takeOrder(received) {
      const header = OrderHeader.safeParse(received)
      if (!header.success) return misread('something that is no order', header.error)
      const { jobId } = received as { jobId?: string }
      disk.seen.orders.push({
        order: header.data.order,
        at: Date.now(),
        ...(jobId === undefined ? {} : { jobId }),
      })
      const parsed = AgentOrder.safeParse(received)
      if (!parsed.success) return misread(`the order ${header.data.order}`, parsed.error)
      switch (parsed.data.order) {
        case 'config.update':
          return applyConfig(parsed.data)
        case 'command.run':
          return run(CommandRun.parse(received))
        case 'command.cancel': {
          waiting.delete(parsed.data.jobId)
          const named = JobHeader.safeParse(received)
          return runner.cancel(parsed.data.jobId, named.success ? named.data : undefined)
        }
        default:
          return undefined
      }
    },
    takeSet(received) {
      const set = ScheduleSet.safeParse(received)
      if (!set.success) return misread('a set of schedules', set.error)
      return applySet(set.data)
    },
  }
}
