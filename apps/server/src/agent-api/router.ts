// What an enrolled agent may call. The procedure name is the message name: search for `job.finished` and find both ends.
import { agentNoun } from './agent.ts'
import { commandNoun } from './command.ts'
import { configNoun } from './config.ts'
import { jobNoun } from './job.ts'
import { logNoun } from './log.ts'
import { repoNoun } from './repo.ts'
import { scheduleNoun } from './schedule.ts'
import { snapshotsNoun } from './snapshots.ts'
import { router } from './trpc.ts'

export const agentRouter = router({
  agent: agentNoun,
  config: configNoun,
  schedule: scheduleNoun,
  command: commandNoun,
  job: jobNoun,
  log: logNoun,
  snapshots: snapshotsNoun,
  repo: repoNoun,
})
export type AgentRouter = typeof agentRouter
