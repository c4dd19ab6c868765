// For tests only: the other end of an agent, in memory, that commits, forgets, refuses and falls silent as it is told.
import { createPublicKey, randomUUID, verify } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AgentHeartbeat, AgentHello, type AgentLimits, type AgentOrder } from '@restic-manager/contract/agent'
import { CommandResult } from '@restic-manager/contract/command'
import { JobFinished, JobProgress, JobStarted } from '@restic-manager/contract/job'
import { EnrolmentRedeem, proofText, SessionChallenge, SessionProof } from '@restic-manager/contract/join'
import { LogStreamBlock, type LogStreamBlock as Block } from '@restic-manager/contract/log'
import { ConfigAck, RepoStats } from '@restic-manager/contract/repository'
import { SnapshotsReport } from '@restic-manager/contract/snapshots'
import {
  ScheduleAck,
  ScheduleFire,
  ScheduleNotRun,
  type ScheduleFireAnswer,
  type ScheduleSet,
} from '@restic-manager/contract/schedule'
import { timing } from '@restic-manager/contract/timing'
import { initTRPC, TRPCError } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { getWSConnectionHandler } from '@trpc/server/adapters/ws'
import { WebSocketServer } from 'ws'
import type { FactName, FactPayloads } from './facts.ts'
import { ordersOfSlot } from './testing-orders.ts'

export type Told = { [N in FactName]: { name: N; message: FactPayloads[N] } }[FactName]

/** What survives when this end is stopped and started again: its database, so to say. */
export type Memory = {
  hostId: string
  publicKey: string
  sessions: string[]
  hellos: AgentHello[]
  /** Committed facts, each once, in the order they were committed. */
  facts: (Told & { epoch: string })[]
  /** Every delivery of a fact, repeats included. */
  deliveries: Told[]
  orders: AgentOrder[]
  logs: Block[]
  progress: JobProgress[]
  stats: RepoStats[]
  acks: ConfigAck[]
  heartbeats: AgentHeartbeat[]
  /** What the host is to work by, and its acks. */
  plan: ScheduleSet | undefined
  planAcks: ScheduleAck[]
}

export type FarEnd = AsyncDisposable & {
  readonly url: string
  readonly port: number
  readonly token: string
  readonly memory: Memory
  /** Sends an order now and, until `memory.orders` is cleared, on every later connection. */
  order(order: AgentOrder): void
  /** Called before a procedure does anything; what it throws is the answer, and it may hold the answer back. */
  before: (name: string, input: unknown) => void | Promise<void>
  /** Called once it has committed, before the answer leaves: throwing loses the answer. */
  after: (name: string, input: unknown) => void | Promise<void>
  proceed: (jobId: string) => boolean
  /** Gives the host a plan, now and on every later connection. */
  plan(plan: ScheduleSet): void
  /** What becomes of a slot the host asks about. At first each of its jobs is queued, and ordered at once. */
  decide: (fire: ScheduleFire) => ScheduleFireAnswer['jobs']
  /** HTTP status to answer upgrades with instead of letting them in. */
  refuseUpgrades: number | undefined
  limits: AgentLimits
  heartbeatMs: number
  serverTime: () => number
  connections(): number
  dropSockets(): void
  stop(): Promise<void>
}

const newMemory = (): Memory => ({
  ...{ hostId: randomUUID(), publicKey: '', sessions: [], hellos: [], facts: [], deliveries: [], orders: [] },
  ...{ logs: [], progress: [], stats: [], acks: [], heartbeats: [], plan: undefined, planAcks: [] },
})

/** Starts the far end on a free port, or on `port` with the memory of one that was stopped. */
export async function startFarEnd({
  port = 0,
  memory = newMemory(),
}: { port?: number; memory?: Memory } = {}) {
  const t = initTRPC.context<object>().create()
  const bearers = new Set<string>()
  const bells = new Set<() => void>()
  const ring = () => {
    for (const wake of bells) wake()
    bells.clear()
  }
  const rung = (signal: AbortSignal | undefined) =>
    new Promise<void>(resolve => {
      bells.add(resolve)
      signal?.addEventListener('abort', () => resolve(), { once: true })
    })
  const call = t.procedure.use(async ({ path, getRawInput, next }) => {
    const input = await getRawInput()
    await end.before(path, input)
    const result = await next()
    if (result.ok) await end.after(path, input)
    return result
  })

  /** Commits a fact once, whatever order and however often it comes. */
  function commit(told: Told) {
    memory.deliveries.push(told)
    const { lane, seq } = told.message
    const epoch = memory.hellos.at(-1)?.spoolEpoch ?? ''
    if (!committed(lane, epoch).includes(seq)) memory.facts.push({ ...told, epoch })
    return { seq }
  }
  const committed = (lane: 'first' | 'rest', epoch: string) =>
    memory.facts.flatMap(fact => (fact.epoch === epoch && fact.message.lane === lane ? fact.message.seq : []))
  const ackedSeq = (lane: 'first' | 'rest', epoch: string) => Math.max(0, ...committed(lane, epoch))

  const joinRouter = t.router({
    enrolment: t.router({
      redeem: call.input(EnrolmentRedeem).mutation(({ input }) => {
        if (memory.publicKey !== '' && memory.publicKey !== input.publicKey)
          throw new TRPCError({ code: 'FORBIDDEN', message: 'This token was used already.' })
        memory.publicKey = input.publicKey
        return { hostId: memory.hostId, hostName: input.hostname }
      }),
    }),
    session: t.router({
      challenge: call.input(SessionChallenge).mutation(() => ({ nonce: randomUUID(), expiresAt: soon() })),
      prove: call.input(SessionProof).mutation(({ input }) => {
        const key = createPublicKey({
          key: { kty: 'OKP', crv: 'Ed25519', x: memory.publicKey },
          format: 'jwk',
        })
        if (!verify(null, Buffer.from(proofText(input)), key, Buffer.from(input.signature, 'base64url')))
          throw new TRPCError({ code: 'UNAUTHORIZED' })
        const current = memory.sessions.at(-1) ?? null
        if (input.next !== current && input.confirmed !== current)
          throw new TRPCError({ code: 'FORBIDDEN', message: 'This host is quarantined.' })
        if (input.next !== current) memory.sessions.push(input.next)
        const bearer = randomUUID()
        bearers.add(bearer)
        return { bearer, expiresAt: soon() }
      }),
    }),
  })

  const agentRouter = t.router({
    agent: t.router({
      hello: call.input(AgentHello).mutation(({ input }) => {
        memory.hellos.push(input)
        return {
          hostId: memory.hostId,
          protocol: { min: 1, max: 1 },
          serverVersion: '0.0.0-test',
          serverTime: new Date(end.serverTime()).toISOString(),
          ackedSeq: {
            first: ackedSeq('first', input.spoolEpoch),
            rest: ackedSeq('rest', input.spoolEpoch),
          },
          heartbeatIntervalMs: end.heartbeatMs,
          limits: end.limits,
        }
      }),
      heartbeat: call.input(AgentHeartbeat).mutation(({ input }) => {
        memory.heartbeats.push(input)
        return { serverTime: new Date(end.serverTime()).toISOString() }
      }),
      orders: call.subscription(async function* ({ signal }) {
        const sent = new Set<AgentOrder>()
        while (!signal?.aborted) {
          for (const order of memory.orders) {
            if (!sent.has(order)) yield order
            sent.add(order)
          }
          await rung(signal)
        }
      }),
    }),
    config: t.router({ ack: call.input(ConfigAck).mutation(({ input }) => void memory.acks.push(input)) }),
    command: t.router({
      result: call.input(CommandResult).mutation(({ input }) => ({
        ...commit({ name: 'command.result', message: input }),
        proceed: end.proceed(input.jobId),
      })),
    }),
    job: t.router({
      started: call
        .input(JobStarted)
        .mutation(({ input }) => commit({ name: 'job.started', message: input })),
      progress: call.input(JobProgress).mutation(({ input }) => void memory.progress.push(input)),
      finished: call
        .input(JobFinished)
        .mutation(({ input }) => commit({ name: 'job.finished', message: input })),
    }),
    log: t.router({
      stream: call.input(LogStreamBlock).mutation(({ input }) => {
        const mine = memory.logs.filter(block => block.jobId === input.jobId)
        const last = mine.at(-1)
        const nextSeq = last === undefined ? 0 : last.firstSeq + last.count
        if (input.firstSeq !== nextSeq) return { nextSeq }
        memory.logs.push(input)
        return { nextSeq: input.firstSeq + input.count }
      }),
    }),
    snapshots: t.router({
      report: call
        .input(SnapshotsReport)
        .mutation(({ input }) => commit({ name: 'snapshots.report', message: input })),
    }),
    schedule: t.router({
      set: call.subscription(async function* ({ signal }) {
        let sent: ScheduleSet | undefined
        while (!signal?.aborted) {
          if (memory.plan !== undefined && memory.plan !== sent) yield (sent = memory.plan)
          await rung(signal)
        }
      }),
      ack: call.input(ScheduleAck).mutation(({ input }) => void memory.planAcks.push(input)),
      fire: call.input(ScheduleFire).mutation(({ input }) => ({
        ...commit({ name: 'schedule.fire', message: input }),
        jobs: input.decidedBy === 'server' ? end.decide(input) : [],
      })),
      notRun: call
        .input(ScheduleNotRun)
        .mutation(({ input }) => commit({ name: 'schedule.notRun', message: input })),
    }),
    repo: t.router({ stats: call.input(RepoStats).mutation(({ input }) => void memory.stats.push(input)) }),
  })

  const join = createHTTPHandler({ router: joinRouter, basePath: '/join/' })
  const http = createServer((request, response) => join(request, response))
  const sockets = new WebSocketServer({ noServer: true })
  const onConnection = getWSConnectionHandler({
    router: agentRouter,
    wss: sockets,
    createContext: () => ({}),
    keepAlive: { enabled: false },
  })
  http.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {}) // an agent that is killed resets it
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    const refusal = end.refuseUpgrades ?? (bearers.delete(bearer) ? undefined : 401)
    if (refusal !== undefined) return void socket.end(`HTTP/1.1 ${refusal} No\r\nconnection: close\r\n\r\n`)
    sockets.handleUpgrade(request, socket, head, ws => {
      ws.on('error', () => {})
      sockets.emit('connection', ws, request)
      void onConnection(ws, request)
    })
  })
  http.listen(port, '127.0.0.1')
  await once(http, 'listening')
  const listening = (http.address() as AddressInfo).port

  let stopped: Promise<void> | undefined
  const end: FarEnd = {
    url: `http://127.0.0.1:${listening}`,
    port: listening,
    token: `rmj_${'t'.repeat(43)}`,
    memory,
    order(order) {
      memory.orders.push(order)
      ring()
    },
    plan(plan) {
      memory.plan = plan
      ring()
    },
    decide(fire) {
      const orders = ordersOfSlot(memory.plan, fire, memory.hostId)
      for (const order of orders) if (!memory.orders.some(each => sameJob(each, order))) end.order(order)
      return orders.map(({ jobId, repositoryId }) => ({ jobId, repositoryId, decision: 'queued' }))
    },
    before: () => {},
    after: () => {},
    proceed: () => true,
    refuseUpgrades: undefined,
    limits: { logBlockBytes: 65_536, logFlushMs: 50, logBytesPerSecond: 8_388_608, progressIntervalMs: 50 },
    heartbeatMs: 30_000,
    serverTime: Date.now,
    connections: () => sockets.clients.size,
    dropSockets() {
      for (const client of sockets.clients) client.terminate()
    },
    stop() {
      end.dropSockets()
      http.closeAllConnections()
      return (stopped ??= new Promise(resolve => http.close(() => resolve())))
    },
    [Symbol.asyncDispose]: () => end.stop(),
  }
  return end
}

const sameJob = (one: AgentOrder, other: AgentOrder) =>
  'jobId' in one && 'jobId' in other && one.jobId === other.jobId

const soon = () => new Date(Date.now() + timing.bearerLife).toISOString()
