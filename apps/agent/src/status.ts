// `agent status`: what the state directory says, while the agent runs and when it does not.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openAppliedConfig } from './applied-config.ts'
import type { Log } from '@restic-manager/runtime/log'
import { factDepth } from './facts.ts'
import { readEnrolment } from './identity.ts'
import { openJobs } from './job-book.ts'
import { readLinkStatus, type LinkStatus } from './link-status.ts'
import { isStateLocked } from './state-lock.ts'
import { openToRead, readMeta } from './state.ts'
import { agentVersion } from './version.ts'

export type AgentStatus = {
  agentVersion: string
  stateDir: string
  enrolled: boolean
  agentRuns: boolean
  hostId?: string
  hostName?: string
  server?: string
  link?: LinkStatus
  config?: { version: number; repositories: number }
  jobs?: { jobId: string; kind: string; state: string }[]
  spool?: {
    epoch: string | undefined
    waiting: number
    setAside: { name: string; at: string; why: string }[]
    logBytes: number
    movedAside?: string
  }
}

/** Reads everything there is to say. A state directory that does not exist is one that is not enrolled. */
export function readStatus(stateDir: string, log: Log): AgentStatus {
  const enrolment = existsSync(stateDir) ? readEnrolment(stateDir) : undefined
  const status: AgentStatus = { agentVersion, stateDir, enrolled: enrolment !== undefined, agentRuns: false }
  if (enrolment === undefined) return status
  const { hostId, hostName, serverUrl: server } = enrolment
  const config = openAppliedConfig(stateDir, log).current()
  Object.assign(status, {
    ...{ agentRuns: isStateLocked(stateDir), hostId, hostName, server },
    config: { version: config.version, repositories: config.repositories.length },
  })
  if (existsSync(join(stateDir, 'state.db'))) readSpool(stateDir, status)
  return status
}

function readSpool(stateDir: string, status: AgentStatus): void {
  const store = openToRead(join(stateDir, 'state.db'))
  try {
    const link = readLinkStatus(store)
    if (link !== undefined)
      // A killed agent could not write down that its link is gone.
      status.link = status.agentRuns || link.state === 'refused' ? link : { ...link, state: 'stopped' }
    status.jobs = openJobs(store).map(({ id, kind, state }) => ({ jobId: id, kind, state }))
    const movedAside = readMeta(store, 'spoolMovedAside')
    status.spool = {
      epoch: readMeta(store, 'spoolEpoch'),
      ...factDepth(store),
      logBytes: logBytesOf(stateDir),
      ...(movedAside === undefined ? {} : { movedAside }),
    }
  } finally {
    store.close()
  }
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
  const { link, config, jobs = [], spool } = status
  const lines: [string, string | undefined][] = [
    ['Agent', `${status.agentVersion}, ${status.agentRuns ? 'running' : 'not running'}`],
    ['Host', `${status.hostName} (${status.hostId})`],
    ['Server', status.server],
    ['Link', link === undefined ? 'never connected' : `${link.state} since ${link.since}`],
    ['Why', link?.why],
    ['Last contact', link?.lastContactAt],
    ['restic', link?.resticVersion ?? 'none found'],
    ['Configuration', `version ${config?.version}, ${config?.repositories} repositories`],
    [
      'Jobs',
      jobs.length === 0 ? 'none' : jobs.map(job => `${job.kind} ${job.jobId} ${job.state}`).join(', '),
    ],
    ['Waiting to be told', `${spool?.waiting ?? 0} facts, ${spool?.logBytes ?? 0} bytes of logs`],
    ...(spool?.setAside ?? []).map((fact): [string, string] => [
      'Set aside',
      `${fact.name} of ${fact.at}: ${fact.why}`,
    ]),
    ['Damaged spool', spool?.movedAside],
  ]
  return lines
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${`${name}:`.padEnd(20)}${value}\n`)
    .join('')
}
