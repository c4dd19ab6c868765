// What the agent takes from its environment. A bad value is named, and stops it before anything starts.
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { timing, type Timing } from '@restic-manager/contract/timing'
import { z } from 'zod'
import type { LogBudget } from './log-spool.ts'
import { defaultPolicyFile } from './policy.ts'

export type AgentConfig = {
  stateDir: string
  /** A path or a name; undefined: restic as the search path finds it. */
  restic: string | undefined
  searchPath: string
  /** A folder where ssh and rclone are looked for before the usual ones. */
  programs?: string | undefined
  /** What the owner of this host allows a server. It need not be there. */
  policyFile: string
  logLevel: LogLevel
  timing: Timing
  /** Other bounds of the logs that wait on disk than the usual ones. */
  logBudget?: LogBudget | undefined
}

export const LogLevel = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
export type LogLevel = z.infer<typeof LogLevel>

/** A value that cannot be used. The message names it, says what it was, and what is accepted. */
export class BadConfig extends Error {}

const Periods = z.strictObject(
  Object.fromEntries(Object.keys(timing).map(name => [name, z.int().min(1).optional()])),
)

/** Lines of the help text for what `readConfig` reads. */
export const environmentHelp = `  RM_STATE_DIR   where the agent keeps its key and its records (as --state-dir)
  RM_POLICY_FILE what this host allows a server (as --policy-file)
  RM_RESTIC      restic to run: a path, or a name on PATH (default: restic)
  RM_PROGRAMS    a folder where ssh and rclone are looked for first (default: only where the system keeps them)
  RM_LOG_LEVEL   ${LogLevel.options.join(', ')} (default: info)
  RM_TIMING      other periods than the usual ones, as JSON in milliseconds: {"heartbeat":5000}`

/** Reads the environment. What is given on the command line wins. Throws `BadConfig`. */
export function readConfig(
  given: { stateDir?: string | undefined; policyFile?: string | undefined } = {},
  env: NodeJS.ProcessEnv = process.env,
): AgentConfig {
  const level = LogLevel.safeParse(env.RM_LOG_LEVEL ?? 'info')
  if (!level.success)
    throw new BadConfig(
      `RM_LOG_LEVEL is ${JSON.stringify(env.RM_LOG_LEVEL)}; it must be one of ${LogLevel.options.join(', ')}.`,
    )
  return {
    stateDir: resolve(given.stateDir ?? env.RM_STATE_DIR ?? defaultStateDir(env)),
    policyFile: resolve(given.policyFile ?? env.RM_POLICY_FILE ?? defaultPolicyFile(process.platform, env)),
    restic: env.RM_RESTIC === '' ? undefined : env.RM_RESTIC,
    searchPath: env.PATH ?? '',
    ...(env.RM_PROGRAMS ? { programs: resolve(env.RM_PROGRAMS) } : {}),
    logLevel: level.data,
    timing: readTiming(env.RM_TIMING),
  }
}

function readTiming(text: string | undefined): Timing {
  if (text === undefined || text === '') return timing
  try {
    return { ...timing, ...Periods.parse(JSON.parse(text)) } as Timing
  } catch {
    throw new BadConfig(
      `RM_TIMING is ${JSON.stringify(text)}; it must be a JSON object of milliseconds, with keys among ${Object.keys(timing).join(', ')}.`,
    )
  }
}

function defaultStateDir(env: NodeJS.ProcessEnv): string {
  if (process.getuid?.() === 0) return '/var/lib/restic-manager-agent'
  return join(env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'restic-manager-agent')
}
