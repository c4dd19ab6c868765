// What a peer costs the server that asks for much and then reads nothing, in memory, against a bare server that says it all the same.
import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '@restic-manager/contract/ids'
import { LogAnswer } from '@restic-manager/contract/log'
import { toInstant } from '@restic-manager/contract/scalars'
import { signedIn } from '@restic-manager/testkit/signed-in'
import { WebSocket } from 'ws'
import { type Figure, rounded } from './measure/figure.ts'
import { blocksOf, makeLine, makeShare } from './measure/log-lines.ts'
import { openLoneAgent, proveAgent } from './wire/lone-agent.ts'
import { openRawOperator } from './wire/raw-operator.ts'
import { type Side, startStand, type Stand } from './wire/stand.ts'

const peers = 4
/** Subscriptions a socket may have, and calls it may leave open. */
const atOnce = 64
const lines = 40_000
const goalMiB = 8
const MiB = 1024 * 1024
/** Longer than a server waits for a reader, so that what is held is seen before and after it is given up. */
const watchMs = 13_000
const lookMs = 250
const anything = { parse: (value: unknown) => value }

/**
 * The most that is held at any look, without garbage, for each of four peers at once: operators with as many tails of a long log as a
 * socket may have, or with as many questions for a page of it; agents that send heartbeats without end. The bare server says 64 MiB to one.
 */
export async function benchStalledReader(): Promise<Figure[]> {
  await using stand = await startStand()
  const jobId = await makeLog(stand)
  const { cookie } = await signedIn(stand.ours.url, stand.operator)()

  async function operators(ask: 'query' | 'subscription') {
    await using sleepers = new AsyncDisposableStack()
    const opened = await Promise.all(
      Array.from({ length: peers }, () => openRawOperator(stand.ours.url, cookie)),
    )
    for (const operator of opened) {
      sleepers.use(operator)
      operator.fallAsleep()
      for (let n = 0; n < atOnce; n += 1)
        if (ask === 'query') operator.ask(ask, 'jobs.log', { jobId, fromSeq: 0, limit: 1_000 })
        else operator.ask(ask, 'jobs.tail', { jobId })
    }
    return watch(stand.ours)
  }

  async function agents() {
    await using sleepers = new AsyncDisposableStack()
    const [token = ''] = await stand.tokensFor(peers)
    for (let peer = 0; peer < peers; peer += 1) {
      const socket = await sleepingAgent(stand.ours.url, token, `sleeper-${peer}`)
      sleepers.defer(() => socket.terminate())
    }
    return watch(stand.ours)
  }

  // Compiled code and filled caches are not the peers'.
  await operators('subscription')
  await operators('query')
  const before = await held(stand.ours)
  const tails = (await operators('subscription')) - before
  const questions = (await operators('query')) - before
  await agents()
  const beforeAgents = await held(stand.ours)
  const beats = (await agents()) - beforeAgents
  const bare = await bareCost(stand)
  return [
    figure('operator with 64 tails', tails / peers, bare),
    figure('operator with 64 questions', questions / peers, bare),
    figure('agent with heartbeats', beats / peers, bare),
  ]
}

const figure = (who: string, bytes: number, bare: number): Figure => ({
  ...{ name: `stalled-reader, ${who}`, unit: 'MiB held', ours: rounded(bytes / MiB) },
  ...{ limit: rounded(bare / MiB), ratio: rounded(bytes / bare) },
  ...{ goal: goalMiB, ok: bytes / MiB <= goalMiB },
})

async function held(side: Side): Promise<number> {
  const { heapUsed, external } = await side.probe({ probe: 'memory' })
  return heapUsed + external
}

/** The most that is held while it lasts. */
async function watch(side: Side): Promise<number> {
  let most = 0
  for (const began = performance.now(); performance.now() - began < watchMs; await sleep(lookMs))
    most = Math.max(most, await held(side))
  return most
}

async function bareCost({ bare }: Stand): Promise<number> {
  const socket = new WebSocket(bare.url, { perMessageDeflate: false })
  await new Promise(resolve => socket.once('open', resolve))
  socket.pause()
  const before = await held(bare)
  await bare.order({ do: 'flood', text: 'x'.repeat(MiB), times: 64 })
  const cost = (await held(bare)) - before
  socket.terminate()
  return cost
}

/** A job with a log of some megabytes. */
async function makeLog(stand: Stand): Promise<string> {
  const [token = ''] = await stand.tokensFor(1)
  const link = await openLoneAgent(stand.ours.url, token, 'speaker')
  const [jobId, startedAt, share] = [newId(), toInstant(Date.now()), makeShare(1)]
  const started = {
    ...{ jobId, kind: 'backup', repositoryId: newId(), startedAt, command: 'restic backup' },
    ...{ resticVersion: '0.18.0', lane: 'rest', seq: 1, occurredAt: startedAt },
  }
  await link.call('job.started', started, anything)
  const text = Array.from({ length: lines }, () => makeLine(share))
  for (const block of blocksOf(jobId, startedAt, text)) await link.call('log.stream', block, LogAnswer)
  link.cut()
  return jobId
}

/** Says hello, reads nothing more, and goes on sending heartbeats for as long as its own end takes them. */
async function sleepingAgent(url: string, token: string, hostname: string): Promise<WebSocket> {
  const { bearer, hello } = await proveAgent(url, token, hostname)
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/agent`, {
    ...{ headers: { authorization: `Bearer ${bearer}` }, perMessageDeflate: false },
  })
  socket.on('error', () => {})
  await new Promise(resolve => socket.once('open', resolve))
  const say = (id: number, method: string, path: string, input?: object) =>
    socket.send(JSON.stringify({ id, method, params: { path, input } }))
  say(1, 'mutation', 'agent.hello', hello)
  await new Promise(resolve => socket.once('message', resolve))
  socket.pause()
  for (let id = 2; id < 10; id += 1) say(id, 'subscription', id % 2 === 0 ? 'agent.orders' : 'schedule.set')
  const spool = { facts: 0, logBytes: 0 }
  for (let id = 10; id < 50_000; id += 1)
    say(id, 'mutation', 'agent.heartbeat', { sentAt: toInstant(Date.now()), spool })
  return socket
}
