// What dashboards, scripts and tools may call. Its type is the typed client's whole knowledge of the server.
import { accountRouter } from './account.ts'
import { alertsRouter } from './alerts.ts'
import { auditRouter } from './audit.ts'
import { enrolmentsRouter } from './enrolments.ts'
import { hostsRouter } from './hosts.ts'
import { jobsRouter } from './jobs.ts'
import { keysRouter } from './keys.ts'
import { liveRouter } from './live.ts'
import { meRouter } from './me.ts'
import { overviewRouter } from './overview.ts'
import { repositoriesRouter } from './repositories.ts'
import { schedulesRouter } from './schedules.ts'
import { searchRouter } from './search.ts'
import { sessionsRouter } from './sessions.ts'
import { settingsRouter } from './settings.ts'
import { snapshotsRouter } from './snapshots.ts'
import { router } from './trpc.ts'
import { usersRouter } from './users.ts'

export const operatorRouter = router({
  me: meRouter,
  overview: overviewRouter,
  account: accountRouter,
  sessions: sessionsRouter,
  keys: keysRouter,
  users: usersRouter,
  hosts: hostsRouter,
  enrolments: enrolmentsRouter,
  repositories: repositoriesRouter,
  schedules: schedulesRouter,
  jobs: jobsRouter,
  snapshots: snapshotsRouter,
  audit: auditRouter,
  settings: settingsRouter,
  alerts: alertsRouter,
  live: liveRouter,
  search: searchRouter,
})
export type OperatorRouter = typeof operatorRouter
