// What dashboards, scripts and tools may call. Its type is the typed client's whole knowledge of the server.
import { enrolmentsRouter } from './enrolments.ts'
import { hostsRouter } from './hosts.ts'
import { jobsRouter } from './jobs.ts'
import { liveRouter } from './live.ts'
import { meRouter } from './me.ts'
import { repositoriesRouter } from './repositories.ts'
import { schedulesRouter } from './schedules.ts'
import { settingsRouter } from './settings.ts'
import { snapshotsRouter } from './snapshots.ts'
import { router } from './trpc.ts'

export const operatorRouter = router({
  me: meRouter,
  hosts: hostsRouter,
  enrolments: enrolmentsRouter,
  repositories: repositoriesRouter,
  schedules: schedulesRouter,
  jobs: jobsRouter,
  snapshots: snapshotsRouter,
  settings: settingsRouter,
  live: liveRouter,
})
export type OperatorRouter = typeof operatorRouter
