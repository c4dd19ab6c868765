// What a simulated agent would have on disk: it outlives a crash. Facts in two lanes, jobs, logs, and the plan with its slots.
import type { KeyObject } from 'node:crypto'
import type { AckedSeq, Lane } from '@restic-manager/contract/fact'
import type { Id } from '@restic-manager/contract/ids'
import { toInstant } from '@restic-manager/contract/scalars'
import type { Schedule, ScheduleFireAnswer } from '@restic-manager/contract/schedule'
import type { LogStreamBlock } from '@restic-manager/contract/log'
import type { Snapshot } from '@restic-manager/contract/snapshots'
import type { SimulatedFact, SimulatedJob, SimulatedRecord } from './record.ts'

export type DiskJob = SimulatedJob & {
  /** The server's answer to the acceptance; a slot that was decided here needs none. */
  proceed: boolean | undefined
  cancelled: boolean
  isElevated: boolean
  acceptedAt: number
  dryRun: boolean
  /** Why it was turned down, or ended before anybody ordered it. */
  refusal?: string
}

/** `through`: every slot up to then is counted. `stopped`: why it does not fire. */
export type DiskPlan = { schedule: Schedule; stopped: string | undefined; through: number }

export type DiskSlot = {
  scheduleId: Id
  slot: number
  fireAt: number
  state: 'armed' | 'asked' | 'answered' | 'done'
  /** Since when it is in this state. */
  since: number
  fire: SimulatedFact | undefined
  answer: ScheduleFireAnswer['jobs'] | undefined
  /** Why it did not run. */
  reason: string | undefined
}

/** `nextSeq`: what the server expects. `refused`: it never takes the rest. */
export type DiskLog = { blocks: LogStreamBlock[]; nextSeq: number; refused?: true }

export type Disk = {
  hostId: Id
  hostname: string
  key: KeyObject
  confirmed: string | null
  next: string | null
  epoch: string
  lastSeq: Record<Lane, number>
  facts: SimulatedFact[]
  waiting: Record<Lane, SimulatedFact[]>
  jobs: Map<Id, DiskJob>
  /** The jobs that have not ended, in the order they came. */
  open: Set<Id>
  logs: Map<Id, DiskLog>
  /** Jobs of which parts of the log are still to be sent. */
  unsent: Set<Id>
  config: { version: number; maxConcurrentRuns: number; mayDelete: Map<Id, boolean> }
  plan: { version: number; appliedAt: string; schedules: Map<Id, DiskPlan> }
  slots: Map<string, DiskSlot>
  /** The slots on which something is to be decided. */
  openSlots: Set<DiskSlot>
  snapshots: Map<Id, Snapshot[]>
  seen: Pick<SimulatedRecord, 'orders' | 'oldSession' | 'oldSessionTaken' | 'acksTakenBack' | 'misunderstood'>
}

/** A new host: nothing but its name and its key. */
export function formatDisk(identity: Pick<Disk, 'hostId' | 'hostname' | 'key' | 'epoch'>): Disk {
  return {
    ...identity,
    confirmed: null,
    next: null,
    lastSeq: { first: 0, rest: 0 },
    facts: [],
    waiting: { first: [], rest: [] },
    jobs: new Map(),
    open: new Set(),
    logs: new Map(),
    unsent: new Set(),
    config: { version: 0, maxConcurrentRuns: 1, mayDelete: new Map() },
    plan: { version: 0, appliedAt: toInstant(0), schedules: new Map() },
    slots: new Map(),
    openSlots: new Set(),
    snapshots: new Map(),
    seen: {
      orders: [],
      oldSession: { told: 0, refused: 0 },
      oldSessionTaken: [],
      acksTakenBack: [],
      misunderstood: [],
    },
  }
}

const lanes: Record<SimulatedFact['name'], Lane> = {
  'schedule.fire': 'first',
  'schedule.notRun': 'rest',
  'command.result': 'first',
  'job.started': 'rest',
  'job.finished': 'rest',
  'snapshots.report': 'rest',
}

/** Writes a fact down: from here on it will be told. */
export function addFact(disk: Disk, name: SimulatedFact['name'], payload: object): SimulatedFact {
  const lane = lanes[name]
  disk.lastSeq[lane] += 1
  const message = { ...payload, lane, seq: disk.lastSeq[lane], occurredAt: toInstant(Date.now()) }
  const fact: SimulatedFact = { name, epoch: disk.epoch, message }
  disk.facts.push(fact)
  disk.waiting[lane].push(fact)
  return fact
}

/** The fact to send now: the newest slot that came due, else the oldest that waits in `first`, else in `rest`. */
export function nextFact({ waiting }: Disk): SimulatedFact | undefined {
  return waiting.first.findLast(({ name }) => name === 'schedule.fire') ?? waiting.first[0] ?? waiting.rest[0]
}

/** The server has committed it, or never will. */
export function settleFact({ waiting }: Disk, fact: SimulatedFact): void {
  const lane = waiting[fact.message.lane]
  const at = lane.indexOf(fact)
  if (at !== -1) lane.splice(at, 1)
}

/** Sends a fact again, in its place among those that wait. */
export function repeatFact({ waiting }: Disk, fact: SimulatedFact): void {
  const lane = waiting[fact.message.lane]
  if (fact.setAside !== undefined || lane.includes(fact)) return
  const at = lane.findIndex(({ message }) => message.seq > fact.message.seq)
  lane.splice(at === -1 ? lane.length : at, 0, fact)
}

/** Takes back a fact that was never acked: a newer one says more, or what it asked has been decided here. */
export function withdrawFact(disk: Disk, fact: SimulatedFact): void {
  if (fact.ackedAt !== undefined) return
  settleFact(disk, fact)
  const at = disk.facts.indexOf(fact)
  if (at !== -1) disk.facts.splice(at, 1)
}

/** The newest fact of that name about a job. */
export function factAbout(
  { facts }: Disk,
  name: SimulatedFact['name'],
  jobId: string,
): SimulatedFact | undefined {
  return facts.findLast(fact => fact.name === name && fact.message['jobId'] === jobId)
}

/** Takes over what the server says it has committed. What it acked before and does not have now is told again, and noted. */
export function reconcile(disk: Disk, welcome: AckedSeq): void {
  for (const lane of ['first', 'rest'] as const) {
    const mine = disk.facts.filter(({ message, epoch }) => message.lane === lane && epoch === disk.epoch)
    const acked = Math.max(
      0,
      ...mine.filter(fact => fact.ackedAt !== undefined).map(({ message }) => message.seq),
    )
    if (acked > welcome[lane])
      disk.seen.acksTakenBack.push({ lane, acked, welcome: welcome[lane], at: Date.now() })
    for (const fact of mine) {
      const isThere = fact.message.seq <= welcome[lane]
      // What has an answer is repeated until the answer is in.
      if (isThere && lane === 'rest' && fact.ackedAt === undefined && fact.setAside === undefined) {
        fact.ackedAt = Date.now()
        settleFact(disk, fact)
      } else if (!isThere && fact.ackedAt !== undefined) repeatFact(disk, fact)
    }
  }
}

/** Everything it did and saw. */
export function recordOf(disk: Disk, connected: boolean): SimulatedRecord {
  const { hostId, hostname, epoch, facts, jobs, logs, unsent, seen } = disk
  return {
    ...{ hostId, hostname, epoch, connected, facts: [...facts] },
    jobs: [...jobs.values()].map(({ header, state, starts, end }) =>
      Object.assign({ header, state, starts }, end === undefined ? {} : { end }),
    ),
    logs: [...logs].map(([jobId, { blocks, refused }]) => {
      const acked = refused !== true && !unsent.has(jobId)
      return { jobId, blocks: [...blocks], acked }
    }),
    orders: [...seen.orders],
    oldSession: { ...seen.oldSession },
    oldSessionTaken: [...seen.oldSessionTaken],
    acksTakenBack: [...seen.acksTakenBack],
    misunderstood: [...seen.misunderstood],
  }
}
