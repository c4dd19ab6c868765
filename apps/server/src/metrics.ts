// What a server process counts of itself as it works, for Prometheus. Who may read it is decided in http/metrics.ts.
import { Counter, Histogram, Registry } from 'prom-client'

/** The counters of this process. What stands at the moment of reading is gathered there. */
export const counted = new Registry()
const registers = [counted]

/** Jobs whose end their agents reported, each once. */
export const jobsEnded = new Counter({
  name: 'restic_manager_jobs_ended_total',
  help: 'Jobs that ended, as their agents reported it.',
  labelNames: ['kind', 'status'] as const,
  registers,
})

/** Orders handed to agents. One that is sent again after a reconnect counts again. */
export const ordersGiven = new Counter({
  name: 'restic_manager_orders_total',
  help: 'Orders handed to connected agents.',
  labelNames: ['order'] as const,
  registers,
})

/** Facts that were new. A repeat counts nothing. */
export const factsKept = new Counter({
  name: 'restic_manager_facts_total',
  help: 'Facts of agents that were committed, by lane.',
  labelNames: ['lane'] as const,
  registers,
})

export const logBlocksKept = new Counter({
  name: 'restic_manager_log_blocks_total',
  help: 'Blocks of job logs that were stored.',
  registers,
})

/** As agents sent them, before compression. */
export const logBytesKept = new Counter({
  name: 'restic_manager_log_bytes_total',
  help: 'Bytes of job logs that were stored, before compression.',
  registers,
})

/** From the commit of a change here until this server heard of it, as other servers do. */
export const notificationSeconds = new Histogram({
  name: 'restic_manager_notification_seconds',
  help: 'How long a notification takes through the database and back.',
  buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2, 10],
  registers,
})
