// For tests only: hosts that share one append-only repository, the host that maintains it, and what they say of their jobs.
import { eq } from 'drizzle-orm'
import type { AgentOrder } from '@restic-manager/contract/agent'
import { newId } from '@restic-manager/contract/ids'
import type { EndStatus, JobFinished } from '@restic-manager/contract/job'
import type { JobRunRequest } from '@restic-manager/contract/requests'
import { timing } from '@restic-manager/contract/timing'
import type { Db } from './db/open.ts'
import type { Seal } from './db/seal.ts'
import { jobs } from './db/schema.ts'
import { answerCommand, finishJob } from './fleet/job-reports.ts'
import { runJob } from './fleet/jobs.ts'
import { nextOrders, nothingSent } from './fleet/orders.ts'
import { createRepository } from './fleet/repositories.ts'
import {
  asAnna,
  connectMachine,
  enrolMachine,
  type Machine,
  repositoryOf,
  type TestHost,
} from './testing-fleet.ts'

/** What must reach the maintenance host alone. */
export const ADMIN_SECRET = 'canary-admin-secret'

/** Two hosts back up into one append-only repository; a third maintains it and has no everyday access. */
export async function makeVault(db: Db, seal: Seal) {
  const [one, two, keeper] = [
    await enrolMachine(db, 'one'),
    await enrolMachine(db, 'two'),
    await enrolMachine(db, 'keeper'),
  ]
  const { repositoryId } = await createRepository(db, seal, {
    ...repositoryOf({ hostIds: [one.hostId, two.hostId], url: `rest:https://vault.example.com/${newId()}/` }),
    username: 'everyday',
    credential: 'everyday-secret',
    mayDelete: false,
    maintenanceHostId: keeper.hostId,
    adminUsername: 'admin',
    adminCredential: ADMIN_SECRET,
  })
  return {
    repositoryId,
    one: await speaker(db, one, repositoryId),
    two: await speaker(db, two, repositoryId),
    keeper: await speaker(db, keeper, repositoryId),
  }
}
export type Vault = Awaited<ReturnType<typeof makeVault>>

async function speaker(db: Db, machine: Machine, repositoryId: string): Promise<TestHost> {
  const sender = await connectMachine(db, machine)
  let seq = 0
  const { hostId } = machine
  return {
    machine,
    hostId,
    repositoryId,
    sender,
    fact: (lane = 'rest') => ({ lane, seq: ++seq, occurredAt: new Date().toISOString() }),
    backUp: () =>
      runJob(
        db,
        { requestId: newId(), hostId, repositoryId, kind: 'backup', spec: { paths: ['/srv'] } },
        asAnna,
      ),
  }
}

type Work = Pick<JobRunRequest, 'kind' | 'spec'>

/** Asks for a job on a host, as an operator does. Answers its id. */
export async function run(db: Db, host: TestHost, work: Work): Promise<string> {
  const asked = { requestId: newId(), hostId: host.hostId, repositoryId: host.repositoryId, ...work }
  return (await runJob(db, asked as JobRunRequest, asAnna)).jobId
}

/** A job as its row says now. */
export async function rowOf(db: Db, jobId: string) {
  const [row] = await db.select().from(jobs).where(eq(jobs.id, jobId))
  if (row === undefined) throw new Error(`there is no job ${jobId}`)
  return row
}

const headerOf = async (db: Db, jobId: string) => {
  const { kind, repositoryId } = await rowOf(db, jobId)
  return { jobId, kind, repositoryId }
}

/** The host takes a job on. */
export const accept = async (db: Db, host: TestHost, jobId: string) =>
  answerCommand(db, host.sender, { ...host.fact('first'), ...(await headerOf(db, jobId)), accepted: true })

/** The host tells how a job ended. */
export const end = async (
  db: Db,
  host: TestHost,
  jobId: string,
  status: EndStatus,
  over: Partial<JobFinished> = {},
) =>
  finishJob(
    db,
    host.sender,
    {
      ...host.fact(),
      ...(await headerOf(db, jobId)),
      status,
      finishedAt: new Date().toISOString(),
      warnings: [],
      lastLogSeq: -1,
      ...over,
    },
    timing,
  )

/** Everything a host would be told on a new connection. */
export async function ordersOf(db: Db, seal: Seal, host: TestHost): Promise<AgentOrder[]> {
  const [sent, all] = [nothingSent(), [] as AgentOrder[]]
  for (;;) {
    const orders = await nextOrders(db, seal, host.sender, sent)
    if (orders.length === 0) return all
    all.push(...orders)
  }
}
