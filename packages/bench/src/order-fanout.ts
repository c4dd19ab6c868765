// One order to every connected agent at once: from the operator's call until the last agent's answer is kept.
import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '@restic-manager/contract/ids'
import { type Figure, median, rounded } from './measure/figure.ts'
import { cpuSeconds, treeCpuSeconds } from './measure/process-cost.ts'
import { type Crowd, startCrowd } from './wire/crowd.ts'
import { profiled } from './wire/profiled.ts'
import { startStand } from './wire/stand.ts'
import type { WireOptions } from './wire/options.ts'

/** Also the most hosts that may share a repository. */
const fullFleet = 10_000
const lookMs = 100
const longestMs = 120_000
const goals = { seconds: 1, ratio: 2 }

/**
 * All agents share a repository, which is edited: each is told its new configuration, and acks it. The bare server says the same text to
 * as many sockets, whose answers it sends back. Both in turn.
 */
export async function benchOrderFanout({ runs, scale, profileDir }: WireOptions): Promise<Figure[]> {
  const agents = Math.min(fullFleet, Math.max(1, Math.round(fullFleet * scale)))
  await using stand = await startStand()
  await using ours = startCrowd(agents)
  await using bare = startCrowd(agents)
  const { hostIds } = await ours.join({
    ...{ url: stand.ours.url, count: agents, tokens: await stand.tokensFor(agents) },
  })
  await bare.join({ url: stand.bare.url, count: agents })
  // What they are told as they come in.
  await untilAcked(ours, agents)
  note(`${agents} agents are in`)

  const place = { name: 'shared', url: '/srv/shared', hostIds }
  const { repositoryId } = await stand.api.repositories.create.mutate({
    ...{ requestId: newId(), ...place, password: 'order-fanout' },
  })
  await untilAcked(ours, 2 * agents)
  const text = orderText(repositoryId)

  /** Seconds from `give` until every agent of the crowd has its answer. */
  async function secondsOf(crowd: Crowd, give: () => Promise<unknown>) {
    const { acks } = await crowd.look()
    const began = Date.now()
    const given = give().then(() => Date.now() - began)
    const { lastAckAt } = await untilAcked(crowd, acks + agents)
    note(`given within ${await given} ms, acked within ${lastAckAt - began} ms`)
    return (lastAckAt - began) / 1_000
  }
  let version = 0
  const edit = async () => {
    await stand.api.repositories.update.mutate({ repositoryId, version, ...place })
    version += 1
  }
  const say = () => stand.bare.order({ do: 'say', text })

  version = (await stand.api.repositories.get.query({ repositoryId })).version
  await secondsOf(ours, edit)
  await secondsOf(bare, say)
  const took = {
    ours: [] as number[],
    limit: [] as number[],
    cpu: [] as number[],
    bareCpu: [] as number[],
    database: [] as number[],
  }
  await profiled(stand.ours, profileDir, 'order-fanout', async () => {
    for (let run = 0; run < runs; run += 1) {
      const before = [cpuSeconds(stand.ours.pid), cpuSeconds(stand.bare.pid)] as const
      const databaseBefore = treeCpuSeconds(stand.databasePid)
      took.ours.push(await secondsOf(ours, edit))
      took.database.push(treeCpuSeconds(stand.databasePid) - databaseBefore)
      took.limit.push(await secondsOf(bare, say))
      took.cpu.push(cpuSeconds(stand.ours.pid) - before[0])
      took.bareCpu.push(cpuSeconds(stand.bare.pid) - before[1])
    }
  })
  const [one, limit] = [median(took.ours), median(took.limit)]
  const [cpu, bareCpu] = [median(took.cpu), median(took.bareCpu)]
  return [
    {
      ...{ name: `order-fanout, ${agents} agents`, unit: 's until the last ack' },
      ...{ ours: rounded(one), limit: rounded(limit), ratio: rounded(one / limit), goal: goals.seconds },
      ok: one <= goals.seconds && one / limit <= goals.ratio,
    },
    // Not part of the goal: says where the time goes.
    {
      ...{ name: `order-fanout, ${agents} agents, CPU`, unit: 's of server CPU' },
      ...{ ours: rounded(cpu), limit: rounded(bareCpu), ratio: rounded(cpu / bareCpu) },
      ...{ goal: Infinity, ok: true },
    },
    {
      ...{ name: `order-fanout, ${agents} agents, database`, unit: 's of CPU of the database' },
      ...{ ours: rounded(median(took.database)), limit: 0, ratio: 0, goal: Infinity, ok: true },
    },
  ]
}

async function untilAcked(crowd: Crowd, acks: number) {
  for (const began = performance.now(); performance.now() - began < longestMs;) {
    const seen = await crowd.look()
    if (seen.acks >= acks) return seen
    await sleep(lookMs)
  }
  throw new Error(`${(await crowd.look()).acks} of ${acks} acks came within ${longestMs / 1_000} s`)
}

/** What our server tells each agent of an edit. 2 is the number of an agent's subscription to orders. */
const orderText = (repositoryId: string) =>
  JSON.stringify({
    id: 2,
    result: {
      type: 'data',
      data: {
        ...{ order: 'config.update', version: 3, maxConcurrentRuns: 1 },
        repositories: [
          {
            ...{ repositoryId, url: '/srv/shared', password: 'order-fanout', mayDelete: true },
            environment: {},
          },
        ],
      },
    },
  })

const note = (sentence: string) => void process.stderr.write(`${sentence}\n`)
