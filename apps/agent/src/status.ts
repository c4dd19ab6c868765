// `agent status`: what the state directory says, while the agent runs and when it does not.
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { openAppliedConfig } from './applied-config.ts'
import type { PolicySummary } from '@restic-manager/contract/agent'
import type { Log } from '@restic-manager/runtime/log'
import { factDepth } from './facts.ts'
import { fingerprintIn, hasNextKey, readEnrolment } from './identity.ts'
import { openJobs } from './job-book.ts'
import { readLinkStatus, type LinkStatus } from './link-status.ts'
import { readNewerAgent } from './newer-agent.ts'
import { describePlan, readPlanStatus, type PlanStatus } from './plan-status.ts'
import { describePolicy, linesOf } from './policy-status.ts'
import { usualPolicy } from './policy-places.ts'
import { policySummary, readHostPolicy } from './policy.ts'
import { reserveBytes } from './reserve.ts'
import { isStateLocked } from './state-lock.ts'
import { hasPlan, readMeta } from './state.ts'
import { openToRead } from './store.ts'
import { agentVersion } from './version.ts'

export type AgentStatus = {
  agentVersion: string
  stateDir: string
  enrolled: boolean
  agentRuns: boolean
  hostId?: string
  hostName?: string
  server?: string
  /** Of this host's key, as the dashboard shows it. */
  fingerprint?: string
  /** Another key waits to take over. */
  changesKey?: boolean
  link?: LinkStatus
  config?: { version: number; repositories: number }
  /** What the owner of this host allows a server, and where that stands. */
  policy?: { file: string; found: boolean; allows: PolicySummary; problem?: string }
  newerAgent?: { latestVersion: string; packageUrl: string }
  plan?: PlanStatus
  jobs?: { jobId: string; kind: string; state: string }[]
  spool?: {
    epoch: string | undefined
    waiting: number
    setAsideCount: number
    setAside: { name: string; at: string; why: string }[]
    logBytes: number
    movedAside?: string
    resetAt?: string
    /** How much of the room held back is left, where some was given up. */
    reserveLeft?: number
  }
}

/** Reads everything there is to say. A state directory that does not exist is one that is not enrolled. */
export function readStatus(
  { stateDir, policyFile }: { stateDir: string; policyFile: string },
  log: Log,
  now = Date.now(),
): AgentStatus {
  const enrolment = existsSync(stateDir) ? readEnrolment(stateDir) : undefined
  const status: AgentStatus = { agentVersion, stateDir, enrolled: enrolment !== undefined, agentRuns: false }
  if (enrolment === undefined) return status
  const { hostId, hostName, serverUrl: server } = enrolment
  const config = openAppliedConfig(stateDir, log).current()
  Object.assign(status, {
    ...{ agentRuns: isStateLocked(stateDir), hostId, hostName, server },
    fingerprint: fingerprintIn(stateDir),
    ...(hasNextKey(stateDir) ? { changesKey: true } : {}),
    config: { version: config.version, repositories: config.repositories.length },
    policy: policyStatus(stateDir, policyFile),
  })
  if (existsSync(join(stateDir, 'state.db'))) readMemory(stateDir, status, now)
  return status
}

function policyStatus(stateDir: string, policyFile: string): AgentStatus['policy'] {
  const policy = readHostPolicy(policyFile, usualPolicy(stateDir, undefined))
  const { file, found, problem } = policy
  return { file, found, allows: policySummary(policy), ...(problem === undefined ? {} : { problem }) }
}

function readMemory(stateDir: string, status: AgentStatus, now: number): void {
  const store = openToRead(join(stateDir, 'state.db'))
  try {
    const link = readLinkStatus(store)
    if (link !== undefined)
      // A killed agent could not write down that its link is gone.
      status.link = status.agentRuns || link.state === 'refused' ? link : { ...link, state: 'stopped' }
    if (hasPlan(store))
      status.jobs = openJobs(store).map(({ id, kind, state }) => ({ jobId: id, kind, state }))
    const newerAgent = readNewerAgent(store)
    if (newerAgent !== undefined) status.newerAgent = newerAgent
    // An agent of this version that has not run yet has not brought it up to date.
    if (hasPlan(store)) status.plan = readPlanStatus(store, status.hostId ?? '', now)
    const movedAside = readMeta(store, 'spoolMovedAside')
    const resetAt = readMeta(store, 'spoolResetAt')
    status.spool = {
      epoch: readMeta(store, 'spoolEpoch'),
      ...factDepth(store),
      logBytes: logBytesOf(stateDir),
      ...(movedAside === undefined ? {} : { movedAside }),
      ...(resetAt === undefined ? {} : { resetAt }),
      ...reserveLeft(stateDir),
    }
  } finally {
    store.close()
  }
}

function reserveLeft(stateDir: string): { reserveLeft?: number } {
  const left = statSync(join(stateDir, 'reserve'), { throwIfNoEntry: false })?.size ?? reserveBytes
  return left < reserveBytes ? { reserveLeft: left } : {}
}

function logBytesOf(stateDir: string): number {
  if (!existsSync(join(stateDir, 'logs.db'))) return 0
  const store = openToRead(join(stateDir, 'logs.db'))
  try {
    return Number(store.one('select coalesce(sum(bytes), 0) as bytes from blocks')?.bytes)
  } finally {
    store.close()
  }
}

/** The status for a person. */
export function describeStatus(status: AgentStatus): string {
  if (!status.enrolled)
    return `${status.stateDir} is not enrolled.\nRun: agent enrol --server URL --token TOKEN --state-dir DIR\n`
  const { link, config, jobs = [], spool, policy, newerAgent, plan } = status
  const lines: [string, string | undefined][] = [
    ['Agent', `${status.agentVersion}, ${status.agentRuns ? 'running' : 'not running'}`],
    [
      'Newer agent',
      newerAgent &&
        `${newerAgent.latestVersion}, at ${newerAgent.packageUrl}. It is not installed by itself.`,
    ],
    ['Host', `${status.hostName} (${status.hostId})`],
    ['Fingerprint', status.fingerprint],
    ['New key', status.changesKey ? 'made; the server takes it with the next connection' : undefined],
    ['Server', status.server],
    ['Link', link === undefined ? 'never connected' : `${link.state} since ${link.since}`],
    ['Why', link?.why],
    ['Last contact', link?.lastContactAt],
    ['restic', link?.resticVersion ?? 'none found'],
    ['Configuration', `version ${config?.version}, ${config?.repositories} repositories`],
    ['Policy file', policy && `${policy.file}${policy.found ? '' : ' (there is none)'}`],
    ...(policy === undefined ? [] : describePolicy(policy.allows)),
    ...(plan === undefined ? [] : describePlan(plan)),
    [
      'Jobs',
      jobs.length === 0 ? 'none' : jobs.map(job => `${job.kind} ${job.jobId} ${job.state}`).join(', '),
    ],
    ['Waiting to be told', `${spool?.waiting ?? 0} facts, ${spool?.logBytes ?? 0} bytes of logs`],
    ...(spool === undefined ? [] : describeTroubles(spool)),
  ]
  return linesOf(lines)
}

/** What the server refused, and whether this spool is the first one. */
function describeTroubles(spool: NonNullable<AgentStatus['spool']>): [string, string | undefined][] {
  const { setAside, setAsideCount, movedAside, resetAt, reserveLeft: left } = spool
  const more = setAsideCount - setAside.length
  return [
    ...setAside.map((fact): [string, string] => ['Set aside', `${fact.name} of ${fact.at}: ${fact.why}`]),
    ['Set aside', more > 0 ? `${more} older ones` : undefined],
    ['Disk', left === undefined ? undefined : `full: ${left} of ${reserveBytes} bytes held back are left`],
    ['Spool', resetAt && `begun anew at ${resetAt}: what happened before may be missing on the server`],
    ['Damaged spool', movedAside],
  ]
}
