// What stands for connected hosts now: one look at the database for all who ask at about the same time.
import { sql } from 'drizzle-orm'
import { arriving, together } from '../db/together.ts'
import { askedSessions, isAskedSession } from './asked-sessions.ts'
import { cancelledOf, queuedOf } from './orders-due.ts'
import type { HostSession } from '../context.ts'

/** What stands for a host now: the versions of its configuration and plan, and the jobs that it is to begin or to give up. */
export type Standing = {
  configVersion: number
  scheduleVersion: number
  maxConcurrentRuns: number
  hookShell: string | null
  agentVersion: string | null
  keyWantedAt: string | null
  queued: string[]
  cancelled: string[]
}

/** What stands for a host; undefined for a session that is over. Rejects while the database is away. */
export const newsOf = together<HostSession, Standing>(async (db, sessions) => {
  const answers: Standing[] = []
  const rows = await db.execute<Standing & { at: number }>(sql`
    select asked.at, hosts.config_version as "configVersion", hosts.schedule_version as "scheduleVersion",
      hosts.max_concurrent_runs as "maxConcurrentRuns", hosts.hook_shell as "hookShell", hosts.agent_version as "agentVersion",
      hosts.key_change_wanted_at as "keyWantedAt", ${queuedOf} as queued, ${cancelledOf} as cancelled
    from hosts join ${askedSessions(sessions)} on ${isAskedSession}`)
  for (const { at, ...standing } of rows) answers[at] = standing
  return answers
}, arriving)
