// What an agent says of itself when a connection begins.
import { arch, hostname, platform, uptime } from 'node:os'
import type { AgentHello } from '@restic-manager/contract/agent'
import { PROTOCOL } from '@restic-manager/contract/protocol'
import { toInstant } from '@restic-manager/contract/scalars'
import type { AppliedConfig } from './applied-config.ts'
import { knownJobs } from './job-book.ts'
import { fitText } from './restic/fit-text.ts'
import { appliedSet } from './plan-book.ts'
import { policySummary, type HostPolicy } from './policy.ts'
import type { State } from './state.ts'
import { agentVersion } from './version.ts'

/** The first call of a connection. */
export function helloOf(
  state: State,
  config: AppliedConfig,
  resticVersion: string | null,
  policy: HostPolicy,
): AgentHello {
  return {
    protocolVersion: PROTOCOL,
    agentVersion,
    resticVersion,
    hostname: fitText(hostname(), 200) || 'unknown',
    os: osOf(platform()),
    arch: arch() === 'arm64' ? 'arm64' : 'amd64',
    bootTime: toInstant(state.clock.now() - Math.round(uptime() * 1000)),
    timeZone: Temporal.Now.timeZoneId() || 'UTC', // Intl would load 5 MB for it
    spoolEpoch: state.epoch,
    appliedScheduleVersion: appliedSet(state).version,
    appliedConfigVersion: config.current().version,
    knownJobs: knownJobs(state),
    policy: policySummary(policy),
    ...(state.resetAt === undefined ? {} : { spoolResetAt: state.resetAt }),
  }
}

function osOf(name: NodeJS.Platform): AgentHello['os'] {
  if (name === 'win32') return 'windows'
  return name === 'darwin' ? 'darwin' : 'linux'
}
