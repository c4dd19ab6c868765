// What must be true after any fault, asked of a scene by the checker that the chaos runner uses.
import path from 'node:path'
import type { TestAgent } from '@restic-manager/agent/testing'
import { checkEvidence, whatIsNotQuiet } from '@restic-manager/bench/checker/checker'
import { watchStatements } from '@restic-manager/bench/checker/watch'
import type { Evidence } from '@restic-manager/bench/checker/evidence'
import type { JobStatus } from '@restic-manager/contract/job'
import type { TestServer } from '@restic-manager/server/testing'
import type { FakeRestic } from '@restic-manager/testkit/fake-restic'
import { is, until } from '@restic-manager/testkit/until'

type Checked = { server: TestServer; agent: TestAgent; restic: FakeRestic }

/** From now on the database keeps every status any job takes, so that a path can be judged and not only its end. */
export async function recordStatuses(db: TestServer['db']): Promise<void> {
  for (const statement of watchStatements) await db.execute(statement)
}

/** The statuses a job has had, in order. */
export async function pathOf(db: TestServer['db'], jobId: string): Promise<JobStatus[]> {
  const moves = await db.execute<{ status: JobStatus }>(
    `select status from watch.moves where job_id = '${jobId}' and step <> 'delete' order by at`,
  )
  return moves.map(({ status }) => status)
}

/** Waits for quiet, then asserts the invariants of a run in which one agent with one restic was all there was. */
export async function checkInvariants(scene: Checked): Promise<void> {
  await until(() => whatIsNotQuiet(evidenceOf(scene)), is([]), {
    what: 'quiet',
    timeoutMs: 100_000,
    // A look reads every job: often would be a load of its own.
    everyMs: 300,
  })
  // Some facts come after the end of their job, such as the list of snapshots. What is broken stays broken.
  await until(() => checkEvidence(evidenceOf(scene)), is([]), {
    what: 'a run in which nothing is broken',
    timeoutMs: 30_000,
    everyMs: 1_000,
  })
}

function evidenceOf({ server, agent, restic }: Checked): Evidence {
  return {
    databaseUrl: server.databaseUrl,
    realAgents: [{ hostId: agent.hostId, stateDir: agent.stateDir }],
    ledgerFolders: [path.dirname(restic.folder)],
    connectedHostIds: [agent.hostId],
    outputs: [
      { name: 'server', text: server.log() },
      { name: 'agent', text: agent.output() },
    ],
    ...{ simulated: [], exits: [], memory: [], secrets: [] },
    // The agent may live in a time of its own: which slots had to come is for its test to say.
    ...{ since: new Date(0), until: new Date(0) },
  }
}
