// An agent's first call on a connection, its heartbeat, and the stream of orders it gets.
import { z } from 'zod'
import { CommandCancel, CommandRun, CommandRunHeader } from './command.ts'
import { AckedSeq } from './fact.ts'
import { Id } from './ids.ts'
import { JobStatus } from './job.ts'
import { ConfigUpdate } from './repository.ts'
import { Count, Instant, Name, Path, PublicKey, Sentence, text, Version } from './scalars.ts'

/**
 * What the host's local policy allows, so that the page can grey out the rest. `hookNames`: the programs in its folder of
 * hooks. `repositories`: patterns of addresses; absent: an older agent, which allows all. `environment`: absent: what the
 * storage takes. Limits in KiB per second. `problem`: why the file is not followed; nothing runs then. `file`: where it lies,
 * or would; `found`: whether it is there. Agents that are older tell neither.
 */
export const PolicySummary = z.object({
  hooks: z.enum(['off', 'listed', 'inline']),
  hookNames: z.array(text(100)).max(200).optional(),
  repositories: z.array(text(400)).max(250).optional(),
  environment: z.array(text(60)).max(100).optional(),
  uploadKibps: z.int().min(1).optional(),
  downloadKibps: z.int().min(1).optional(),
  restore: z.object({ roots: z.array(Path).max(20), inPlace: z.boolean() }).optional(),
  problem: Sentence.optional(),
  file: Path.optional(),
  found: z.boolean().optional(),
})
export type PolicySummary = z.infer<typeof PolicySummary>

/**
 * `agent.hello`: first call of a connection; anything before it is refused. `knownJobs`: those whose end is not acked yet.
 * `spoolResetAt`: when the spool was found damaged and begun anew, if it ever was: facts of before may be lost.
 */
export const AgentHello = z.object({
  protocolVersion: z.int().min(0),
  agentVersion: text(100).min(1),
  resticVersion: text(100).nullable(),
  hostname: Name,
  os: z.enum(['linux', 'windows', 'darwin']),
  arch: z.enum(['amd64', 'arm64']),
  bootTime: Instant.optional(),
  timeZone: text(100).min(1),
  spoolEpoch: Id,
  appliedScheduleVersion: Version,
  appliedConfigVersion: Version,
  knownJobs: z.array(z.object({ jobId: Id, status: JobStatus })).max(1_000),
  policy: PolicySummary,
  spoolResetAt: Instant.optional(),
})
export type AgentHello = z.infer<typeof AgentHello>

/** How much telemetry a server wants from one agent. */
export const AgentLimits = z.object({
  logBlockBytes: Count,
  logFlushMs: Count,
  logBytesPerSecond: Count,
  progressIntervalMs: Count,
})
export type AgentLimits = z.infer<typeof AgentLimits>

/** The answer to hello: what the server has committed of this spool, and how to behave. */
export const AgentWelcome = z.object({
  hostId: Id,
  protocol: z.object({ min: z.int(), max: z.int() }),
  serverVersion: text(100),
  serverTime: Instant,
  ackedSeq: AckedSeq,
  heartbeatIntervalMs: Count,
  limits: AgentLimits,
})
export type AgentWelcome = z.infer<typeof AgentWelcome>

/** Facts that the server will never take, kept on the host: how many, and the newest of them. */
export const SetAside = z.object({ count: z.int().min(1), name: text(60), at: Instant, why: Sentence })
export type SetAside = z.infer<typeof SetAside>

/** What waits on the host's disk. `full`: the disk took nothing more at the last try; only ends of jobs are still kept. */
export const SpoolReport = z.object({
  facts: Count,
  logBytes: Count,
  setAside: SetAside.optional(),
  full: z.boolean().optional(),
})
export type SpoolReport = z.infer<typeof SpoolReport>

/** `agent.heartbeat`: presence, and how much waits on the host's disk. */
export const AgentHeartbeat = z.object({ sentAt: Instant, spool: SpoolReport })
export type AgentHeartbeat = z.infer<typeof AgentHeartbeat>
export const HeartbeatAnswer = z.object({ serverTime: Instant })
export type HeartbeatAnswer = z.infer<typeof HeartbeatAnswer>

/** `agent.updateAvailable`: information only; an agent never updates itself. */
export const UpdateAvailable = z.object({
  latestVersion: text(100),
  packageUrl: text(2_000),
  changelog: text(20_000).optional(),
})
export type UpdateAvailable = z.infer<typeof UpdateAvailable>

/** `agent.rotateKey`: an operator wants this host to have another key, since then. Said again after each hello until it has. */
export const RotateKey = z.object({ wantedAt: Instant })
export type RotateKey = z.infer<typeof RotateKey>
/** `agent.offerKey`: the key this host is about to prove itself with. Safe to deliver twice. */
export const OfferKey = z.object({ publicKey: PublicKey })
export type OfferKey = z.infer<typeof OfferKey>

/** What the server sends on `agent.orders`, each order named after its message. */
export const AgentOrder = z.union([
  z.object({ order: z.literal('config.update'), ...ConfigUpdate.shape }),
  ...CommandRun.options.map(option => option.extend({ order: z.literal('command.run') })),
  z.object({ order: z.literal('command.cancel'), ...CommandCancel.shape }),
  z.object({ order: z.literal('agent.updateAvailable'), ...UpdateAvailable.shape }),
  z.object({ order: z.literal('agent.rotateKey'), ...RotateKey.shape }),
])
export type AgentOrder = z.infer<typeof AgentOrder>

/** What an agent reads of an order before it knows whether it understands it. */
export const OrderHeader = z.looseObject({ order: text(60) })
/** A `command.run` whose kind or spec this agent may not know. */
export const RunOrderHeader = z.object({ order: z.literal('command.run'), ...CommandRunHeader.shape })
