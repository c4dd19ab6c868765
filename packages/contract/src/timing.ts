// Every period the two ends keep, in one place, so that a test can run a day in a minute.

/** All values are milliseconds. */
export const timing = {
  /** An agent says it is there this often. */
  heartbeat: 30_000,
  /** This much silence means offline. */
  offlineAfter: 45_000,
  /** WebSocket pings, both ends; a peer that does not answer within the wait is gone. */
  ping: 12_000,
  pong: 12_000,
  /** How long an opening handshake may take. */
  handshake: 10_000,
  /** How long an agent waits for the answer to any call. */
  answer: 10_000,
  /** An accepted job starts after this long without an answer to `command.result`, link or no link. */
  proceedAlone: 60_000,
  /** Reconnecting: full jitter between 0 and a ceiling that doubles from `backoffBase` to `backoffCap`. */
  backoffBase: 1_000,
  backoffCap: 60_000,
  /** A link that held this long makes the next back-off start small again. */
  backoffReset: 60_000,
  /** How often a host that waits for approval asks again. */
  approvalAsk: 10_000,
  /** How often an agent looks whether its owner has made it a new key. */
  keyWatch: 5_000,
  /** Between SIGINT and SIGKILL of restic. */
  cancelGrace: 90_000,
  /** The longest a `probe` may take. */
  probeDeadline: 30_000,
  /** A backup whose repository opened within this time does not ask again whether it is there. */
  repositoryTrust: 3_600_000,
  /** How long a backup waits for a locked repository, and how often an old restic is tried again in that time. */
  lockWait: 10 * 60_000,
  lockRetry: 10_000,
  /** A backup in which nothing moves for this long is shown as stalled. */
  stalledAfter: 120_000,
  /** A job in which nothing at all moves for this long hangs: it is interrupted, then killed. */
  hungAfter: 60 * 60_000,
  /** A fired slot's backup whose order does not come runs anyway: after this long with the link down, or that long with it up. */
  orderLinkDown: 60_000,
  orderWait: 60 * 60_000,
  /** A slot this far past its time is late: it is caught up, or was missed. */
  late: 5 * 60_000,
  /** The server gives a host this long beyond that to tell of a slot, before it counts as missed for now. */
  missedGrace: 10 * 60_000,
  /** The wall clock is compared with the machine's own this often: a host that slept notices by it. */
  tick: 15_000,
  /** While the clocks of host and server differ by more, nothing later than the server's time is told as missed. */
  skewTrusted: 5 * 60_000,
  /** Clocks further apart than this are worth a warning: times would look wrong. */
  skewWarned: 30_000,
  /** A backup waits this long at most for maintenance of its repository. */
  maintenanceWait: 60 * 60_000,
  /** A lock that was not refreshed for this long is left over. restic itself uses the same limit. */
  staleLock: 30 * 60_000,
  /** What the agent's disk did not take is written again after this long. */
  diskRetry: 10_000,
  /** A bearer and a challenge live this long. */
  bearerLife: 60_000,
  /** A queued job nobody claimed in this time expires. */
  queuedLife: 6 * 3_600_000,
  /** Every subscription looks again this often, in case a notification was lost. */
  poll: 10_000,
  /** A job under way on a host that is silent this long counts as lost, until the host says otherwise. */
  lostAfter: 24 * 3_600_000,
  /** How long a call waits for a connection to the database, and how long a connection may take to come up. */
  databaseWait: 5_000,
  /** A connection to the database that says nothing for this long to what it was asked is given up. */
  databaseAnswer: 20_000,
  /** Acked facts stay on the agent's disk this long. */
  factsKept: 14 * 24 * 3_600_000,
} as const

/** Any period can be given another value, by tests and by people who know why. */
export type Timing = { -readonly [K in keyof typeof timing]: number }
