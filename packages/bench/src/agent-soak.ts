// A day of an agent in a few minutes: its clock is moved on while server, link and restic are real, and its memory must not grow.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createTestClock, startAgent } from '@restic-manager/agent/testing'
import { newId } from '@restic-manager/contract/ids'
import { until } from '@restic-manager/testkit/until'
import { type Api, makeOperator, runToEnd } from '../../../scripts/operator.ts'
import {
  agentFlags,
  build,
  makeThrowAway,
  removeThrowAway,
  startServerProgram,
  stopProgram,
} from '../../../scripts/processes.ts'
import { ensureRestic } from '../../../scripts/restic.mjs'
import { type Figure, median, rounded } from './measure/figure.ts'
import { cpuSeconds, memoryBytes } from './measure/process-cost.ts'

const MB = 1e6
const minuteMs = 60_000
const hours = 24
/** The clock moves by so much, then the agent gets so long to do what fell due: a day in three minutes or so. */
const stepMs = 30_000
const breathMs = 60
/** By how much the last quarter of the day may lie above the second, which the first has warmed up. */
const GOAL_GROWTH_MB = 2

/**
 * Heartbeats, a backup each quarter of an hour, its log, its facts and its telemetry, for a day of `scale`. Its memory is looked at
 * after every step; the figure is the middle of the last quarter less that of the second. `limit`: the second.
 */
export async function benchAgentSoak({ scale }: { scale: number }): Promise<Figure[]> {
  await build()
  await using undo = new AsyncDisposableStack()
  const folder = await makeThrowAway('rm-soak-')
  undo.defer(() => removeThrowAway(folder))
  const env = {
    RM_DATA_DIR: path.join(folder, 'server'),
    ...{ PORT: '0', DATABASE_URL: undefined, RM_LOG_LEVEL: 'warn' },
  }
  const server = await startServerProgram(env)
  undo.defer(async () => void (await stopProgram(server)))
  const { url } = server
  const { api } = await makeOperator({ url, env }, { email: 'bench@example.net', name: 'Bench', folder })
  const clock = createTestClock(Date.now())
  const agent = undo.use(
    await startAgent(
      { url, createEnrolment: () => api.enrolments.create.mutate({ requestId: newId() }) },
      {
        ...{ process: true, clock, logLevel: 'warn', nodeFlags: agentFlags },
        restic: (await ensureRestic()).path,
      },
    ),
  )
  await planBackups(api, agent.hostId, folder)
  await until(() => agent.status().plan?.schedules.length === 1)
  const pid = agent.pid() ?? 0
  const steps = Math.round((hours * 60 * minuteMs * scale) / stepMs)
  const memory: number[] = []
  const cpuBefore = cpuSeconds(pid)
  for (let step = 0; step < steps; step += 1) {
    await clock.advance(stepMs)
    await pause(breathMs)
    memory.push(memoryBytes(pid).resident / MB)
    if ((step + 1) % Math.ceil(steps / hours) === 0)
      process.stderr.write(
        `${(((step + 1) / steps) * 100).toFixed(0)} % of the day, ${memory.at(-1)?.toFixed(1)} MB\n`,
      )
  }
  const cpu = cpuSeconds(pid) - cpuBefore
  const { rows } = await api.jobs.list.query({ hostId: agent.hostId, limit: 200 })
  const succeeded = rows.filter(({ status }) => status === 'succeeded').length
  process.stderr.write(`${rows.length} jobs, ${succeeded} succeeded, ${cpu.toFixed(1)} s of CPU\n`)
  if (succeeded === 0) throw new Error('No backup of the day succeeded.')
  const quarter = (which: number) => median(memory.slice((steps * (which - 1)) / 4, (steps * which) / 4))
  const [second, last] = [quarter(2), quarter(4)]
  const growth = last - second
  return [
    {
      ...{ name: 'agent-soak growth', unit: 'MB resident', ours: rounded(growth), limit: rounded(second) },
      ...{ ratio: rounded(last / second), goal: GOAL_GROWTH_MB, ok: growth <= GOAL_GROWTH_MB },
    },
  ]
}

async function planBackups(api: Api, hostId: string, folder: string) {
  const source = path.join(folder, 'source')
  await mkdir(source)
  for (let file = 0; file < 100; file += 1)
    await writeFile(path.join(source, `file ${file}`), `${file}\n`.repeat(1_000))
  const { repositoryId } = await api.repositories.create.mutate({
    ...{ requestId: newId(), name: 'soak', url: path.join(folder, 'repository'), hostIds: [hostId] },
  })
  await runToEnd(api, { hostId, repositoryId, kind: 'init', spec: {} })
  await api.schedules.create.mutate({
    requestId: newId(),
    hostId,
    schedule: {
      ...{ name: 'Often', kind: 'backup', repositoryIds: [repositoryId], paths: [source] },
      ...{ cron: '*/15 * * * *', timeZone: 'UTC', jitterSeconds: 0 },
      ...{ enabled: true, manual: false, catchUp: 'once', overlap: 'skip' },
    },
  })
}
