// Simulated agents against a real server: taken for hosts like any other, they keep every promise through the harms they do.
import { startSimulatedAgent } from '@restic-manager/bench/simulator/agent'
import type { SimulatedAgent, SimulatedBehaviour } from '@restic-manager/bench/simulator/agent-options'
import { checkEvidence, whatIsNotQuiet } from '@restic-manager/bench/checker/checker'
import { watchDatabase } from '@restic-manager/bench/checker/watch'
import { connectToRead } from '@restic-manager/bench/checker/world'
import type { Evidence } from '@restic-manager/bench/checker/evidence'
import { newId } from '@restic-manager/contract/ids'
import type { Timing } from '@restic-manager/contract/timing'
import { startServer, type TestServer } from '@restic-manager/server/testing'
import { is, until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { randomOf, seed } from './random-of.ts'

const quick = { backoffBase: 20, backoffCap: 200, heartbeat: 500, poll: 500 } satisfies Partial<Timing>

const harms: SimulatedBehaviour = {
  workMs: { least: 10, most: 300 },
  ...{ failing: 0.1, incomplete: 0.1, logLines: 60 },
  ...{ repeatsFacts: 0.3, repeatsBlocks: 0.3, swapsBlocks: 0.3 },
  ...{ crashes: 0.03, speaksInOldSession: 1 },
}

async function openFleet(count: number, random: () => number) {
  await using undo = new AsyncDisposableStack()
  const server = undo.use(await startServer({ timing: quick }))
  const sql = connectToRead(server.databaseUrl)
  await watchDatabase(sql)
  await sql.end()
  const agents: SimulatedAgent[] = []
  for (let n = 1; n <= count; n += 1) {
    const wish = { url: server.url, hostname: `simulated-${n}`, timing: quick, random, behaviour: harms }
    agents.push(undo.use(await startSimulatedAgent({ ...wish, token: await server.createEnrolment() })))
  }
  const { repositoryId } = await server.api.repositories.create.mutate({
    ...{ requestId: newId(), name: 'store', url: '/srv/store', password: 'a-password' },
    hostIds: agents.map(({ hostId }) => hostId),
  })
  const owned = undo.move()
  return { server, agents, repositoryId, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

const evidenceOf = (server: TestServer, agents: readonly SimulatedAgent[], since: Date): Evidence => ({
  databaseUrl: server.databaseUrl,
  simulated: agents.map(agent => agent.record()),
  connectedHostIds: agents.map(({ hostId }) => hostId),
  ...{ realAgents: [], ledgerFolders: [], outputs: [], exits: [], memory: [] },
  secrets: [{ name: 'the password', value: 'a-password' }],
  ...{ since, until: new Date() },
})

test(`simulated agents that crash, repeat themselves and speak in sessions that are over lose nothing (seed ${seed})`, async () => {
  const since = new Date()
  const random = randomOf(seed)
  await using fleet = await openFleet(4, random)
  const { server, agents, repositoryId } = fleet
  const ids: string[] = []
  for (let round = 0; round < 40; round += 1) {
    const agent = agents[round % agents.length]
    if (agent === undefined) continue
    const wish = { requestId: newId(), hostId: agent.hostId, repositoryId }
    const { jobId } = await server.api.jobs.run.mutate({
      ...wish,
      kind: 'backup',
      spec: { paths: ['/data'] },
    })
    ids.push(jobId)
    if (random() < 0.2) await server.api.jobs.cancel.mutate({ jobId }).catch(() => {})
    if (random() < 0.1) agent.crash()
    if (random() < 0.1) server.dropSockets()
  }
  await until(() => agents.every(agent => agent.record().jobs.length >= 8), is(true), { timeoutMs: 60_000 })
  for (const agent of agents) agent.behave({ workMs: { least: 10, most: 100 } })
  await until(() => whatIsNotQuiet(evidenceOf(server, agents, since)), is([]), {
    what: 'quiet',
    timeoutMs: 60_000,
    everyMs: 500,
  })
  expect(await checkEvidence(evidenceOf(server, agents, since))).toEqual([])
  const records = agents.map(agent => agent.record())
  expect(records.flatMap(({ jobs }) => jobs).length).toBeGreaterThanOrEqual(ids.length)
  expect(records.flatMap(({ logs }) => logs).length).toBeGreaterThan(0)
})
