// For tests only: an agent with a fake restic at a far end, and short ways to ask what became of a job.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeBlock, type LogEntry } from '@restic-manager/contract/log'
import { fakeRestic, type FakeRestic } from '@restic-manager/testkit/fake-restic'
import type { FakeScript } from '@restic-manager/testkit/fake-restic-script'
import { until } from '@restic-manager/testkit/until'
import { startAgent, type AgentOptions, type TestAgent } from './testing.ts'
import { startFarEnd, type FarEnd, type Told } from './testing-far-end.ts'
import { configOrder } from './testing-orders.ts'

/** Periods that let a test reconnect at once and never start a job by itself. */
export const quick = { backoffBase: 20, backoffCap: 100, proceedAlone: 86_400_000 }

export type Desk = AsyncDisposable & {
  readonly end: FarEnd
  readonly restic: FakeRestic
  readonly agent: TestAgent
  /** Committed facts about a job by name, in the order they were committed. */
  told(jobId: string): string[]
  /** The committed end of a job, once it is there. */
  ending(jobId: string): Promise<Extract<Told, { name: 'job.finished' }>['message']>
  log(jobId: string): LogEntry[]
}

/** Starts all three. The fake restic's backups follow `script`. */
export async function openDesk({
  script = {},
  configured = true,
  end: given,
  ...options
}: Omit<AgentOptions, 'restic'> & {
  script?: FakeScript
  configured?: boolean
  /** A far end that is there already, and stays. */
  end?: FarEnd
} = {}): Promise<Desk> {
  const stack = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'rm-fake-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const restic = fakeRestic(folder, script)
  const end = given ?? stack.use(await startFarEnd())
  if (configured) end.order(configOrder())
  const server = { url: end.url, createEnrolment: async () => end.token }
  const agent = stack.use(
    await startAgent(server, { restic: restic.path, ...options, timing: { ...quick, ...options.timing } }),
  )
  const about = (jobId: string) =>
    end.memory.facts.filter(fact => 'jobId' in fact.message && fact.message.jobId === jobId)
  return {
    end,
    restic,
    agent,
    told: jobId => about(jobId).map(fact => fact.name),
    async ending(jobId) {
      const fact = await until(() => about(jobId).find(told => told.name === 'job.finished'), undefined, {
        what: `the end of job ${jobId}`,
      })
      return fact.message as never
    },
    log: jobId => end.memory.logs.filter(block => block.jobId === jobId).flatMap(decodeBlock),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
