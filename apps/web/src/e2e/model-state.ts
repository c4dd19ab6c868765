// The small world in which both ends' decisions are tried out: one schedule, two slots, two repositories, one host, one server.
import type { JobStatus } from '@restic-manager/contract/job'
import type { ScheduleKind } from '@restic-manager/contract/schedule'
import type { SlotState } from '@restic-manager/agent/testing'

/** What is the same in every state of one exploration. Repository 0 may be deleted from with the host's own credential. */
export type Rules = {
  kind: ScheduleKind
  catchUp: 'none' | 'once'
  overlap: 'skip' | 'queue'
  repositories: 1 | 2
  /** How many things may go wrong, or be done by an operator, in one story. */
  harms: number
}

/** All periods are steps of the clock. Slots come at these steps, the host fires a step later. */
export const slotTimes = [1, 4] as const
export const spread = 1
export const periods = {
  answer: 1,
  late: 2,
  orderLinkDown: 1,
  orderWait: 2,
  proceedAlone: 1,
  missedGrace: 1,
  skewTrusted: 1,
}
/** No period is longer. What has lasted longer is as old as this. */
export const longest = 3
/** After the last of these every period has gone by. */
export const lastStep = 9
/** How far a clock that is set wrong is off. */
export const clockError = 5

export type SlotAt = 0 | 1
export type RepositoryAt = 0 | 1
export const both = [0, 1] as const

/** The repositories of the schedule. */
export const repositoriesOf = ({ repositories }: Rules): readonly RepositoryAt[] =>
  both.slice(0, repositories)

type Cell = { slot: SlotAt; repository: RepositoryAt }

export type ModelFact =
  | { name: 'ask'; slot: SlotAt }
  | { name: 'own'; slot: SlotAt; repositories: RepositoryAt[] }
  | ({ name: 'result'; accepted: boolean; reason?: string } & Cell)
  | ({ name: 'started' } & Cell)
  | ({ name: 'finished'; status: JobStatus; reason?: string } & Cell)
  | {
      name: 'notRun'
      slots: SlotAt[]
      repositories: RepositoryAt[]
      outcome: 'missed' | 'skipped'
      reason: string
    }

export type ModelAnswer = { decision: 'queued' | 'duplicate' | 'skipped' | 'delegated'; reason?: string }

export type HostSlot = {
  state: 'none' | SlotState | 'done'
  /** How long it has been asked or answered, by the steady clock. */
  age: number
  answer?: ModelAnswer[]
  outcome?: string
  reason?: string
}

export type HostJob = {
  state: 'accepted' | 'starting' | 'ended' | 'refused'
  /** How long it has waited for an answer. */
  age: number
  proceed?: boolean
  cancelled?: true
  elevated?: true
  /** It was run, and nothing may ever run it again. */
  ran?: true
  status?: JobStatus
}

/** What a host has on disk, and what only its process knows. */
export type Host = {
  isUp: boolean
  isAsleep: boolean
  slots: [HostSlot, HostSlot]
  jobs: [HostJob | null, HostJob | null][]
  /** Open jobs, in the order they were accepted. */
  line: [SlotAt, RepositoryAt][]
  facts: ModelFact[]
  stopped: 'schedule_paused' | 'schedule_deleted' | null
  /** When it applied that; to be told. */
  appliedAt: number | null
  hasWoken: boolean
  /** How long there has been no link. */
  linkDown: number | null
  heardSkew: number | null
}

export type Row = {
  status: JobStatus
  reported: boolean
  decidedBy: 'server' | 'agent'
  reason: string | null
  elsewhere: boolean
  released: boolean
  cancelWished: boolean
  isAccepted: boolean
  /** A range of slots that did not run begins with this one. */
  from?: SlotAt
}

export type Server = {
  plan: 'live' | 'paused' | 'deleted'
  newest: number | null
  /** Slots after this are not expected: the host has acked that it does not count them. */
  countedThrough: number | null
  rows: [Row | null, Row | null][]
}

export type World = {
  step: number
  /** How far the host's wall clock is ahead of the server's. */
  skew: number
  isLinked: boolean
  /** There can be no link: the network is broken, or the server is away. */
  isCut: boolean
  /** The link stands, and nothing comes through. */
  isStuck: boolean
  /** restic takes its time. */
  isSlow: boolean
  harmsLeft: number
  /** Something happened for which a slot may rightly not run. */
  isExcused: boolean
  host: Host
  server: Server
}

export const wall = (world: World) => world.step + world.skew

/** The world before the first slot, all well. */
export function newWorld({ harms }: Rules): World {
  return {
    step: 0,
    skew: 0,
    isLinked: true,
    isCut: false,
    isStuck: false,
    isSlow: false,
    harmsLeft: harms,
    isExcused: false,
    host: {
      isUp: true,
      isAsleep: false,
      slots: [
        { state: 'none', age: 0 },
        { state: 'none', age: 0 },
      ],
      jobs: [
        [null, null],
        [null, null],
      ],
      line: [],
      facts: [],
      stopped: null,
      appliedAt: null,
      hasWoken: false,
      linkDown: null,
      heardSkew: 0,
    },
    server: {
      plan: 'live',
      newest: null,
      countedThrough: null,
      rows: [
        [null, null],
        [null, null],
      ],
    },
  }
}
