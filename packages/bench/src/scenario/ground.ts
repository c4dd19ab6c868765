// Where a fleet stands: servers and a database of its own, or a server that somebody else runs.
import type { Api } from '../../../../scripts/operator.ts'

/** What servers have used so far, and take now. Undefined: nobody says. */
export type Cost = {
  serverCpuSeconds: number
  databaseCpuSeconds: number | undefined
  residentBytes: number
  peakBytes: number | undefined
}

export type Ground = AsyncDisposable & {
  /** Of several, each connection of an agent goes to one of them. */
  readonly urls: readonly string[]
  /** Somebody who may plan. */
  readonly api: Api | undefined
  /** Tokens that were given; else they are made. */
  readonly tokens: readonly string[]
  /** Whether it lies on this machine, so that each agent may come from an address of its own. */
  readonly isHere: boolean
  /** Servers that may be killed and restarted. */
  readonly own: OwnServers | undefined
  cost(): Promise<Cost | undefined>
}

export type OwnServers = {
  readonly count: number
  readonly databaseUrl: string
  readonly admin: { email: string; password: string }
  kill(): Promise<void>
  /** Starts all of them that do not run. */
  start(): Promise<void>
  /** Stops one in order and starts it again. */
  restart(which: number): Promise<void>
  /** Programs that ended by themselves. */
  ended(): string[]
  /** A profile of what they do from now on, written under a name; nothing where nobody wanted any. */
  beginProfile(): Promise<void>
  writeProfile(name: string): Promise<void>
}
