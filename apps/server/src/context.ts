// What a procedure gets to work with, for each of the three routers.
import type { Role } from '@restic-manager/contract/role'
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import type { Bus } from './db/bus.ts'
import type { Db } from './db/open.ts'
import type { ReadyCheck } from './db/ready.ts'
import type { Seal } from './db/seal.ts'
import type { Arrivals, Place } from './fleet/arrivals.ts'
import type { LogIntake } from './fleet/log-intake.ts'
import type { Release } from './fleet/orders.ts'
import type { Presence } from './fleet/presence.ts'
import type { TurnedAway } from './fleet/turned-away.ts'

/**
 * The host behind an agent's connection. Both others fence: an older `session` changes nothing, and neither does one that began on
 * another `timeline` of the database, which may have forgotten what the host was told there.
 */
export type HostSession = { id: string; session: number; timeline: string }

/** The person or API key behind an operator's request. */
export type Principal = {
  operatorId: string
  name: string
  email: string
  role: Role
  /** Sees and changes only hosts with one of these, and what hangs on them. Undefined: everything. */
  tags: readonly string[] | undefined
  by: BySession | ByKey
}

/** `provedAt`: when the strongest factor of the account was shown last, in this session. */
type BySession = { kind: 'session'; sessionId: string; provedAt: Date }
/** `scopes`: what the key may call, at most what its operator may. */
type ByKey = { kind: 'key'; keyId: string; name: string; scopes: readonly string[] }

type Shared = { db: Db; bus: Bus; seal: Seal; log: Log; timing: Timing }

/** A place to say something over a socket without burying its reader. Over plain HTTP it never waits. */
type Wire = {
  /** Aborted when the socket closes. */
  closed: AbortSignal
  /** Resolves when the reader has taken most of what it was sent; closes the socket when it never does. */
  room: () => Promise<void>
  /** `room` for what is too large for many to be held at once: taken before it is read, given back once it is said. */
  floor: () => Promise<Disposable>
}

/**
 * `connection` lives as long as the socket: `spoolEpoch` is set by hello, and nothing but hello is allowed before. `place` is given
 * back once the host was told everything.
 */
export type AgentContext = Shared &
  Wire & {
    host: HostSession
    connection: { spoolEpoch: string | undefined; place?: Place }
    presence: Presence
    logIntake: LogIntake
    release: Release
  }

/** A machine that is not let in yet. `address` is where it dials from. */
export type JoinContext = Pick<Shared, 'db' | 'log' | 'timing'> & { address: string; arrivals: Arrivals }

/** `principal` undefined: not signed in. `address` is where the request comes from. */
export type OperatorContext = Shared &
  Wire & {
    principal: Principal | undefined
    address: string
    publicUrl: string
    /** The authority that agents pin, where there is one. */
    caPin: string | undefined
    plainHttp: boolean
    silences: ReadyCheck['silences']
    turnedAway: TurnedAway
    /** Counts a call of an API key over its socket; throws `TooMany`. Over HTTP calls are counted as the request comes. */
    takeCall?: (() => void) | undefined
  }
