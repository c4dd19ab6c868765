// The whole agent against a far end that fails on purpose, with a fake restic that keeps a ledger.
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { newId } from '@restic-manager/contract/ids'
import { createLog } from '@restic-manager/runtime/log'
import { startTcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { endJob, markRunning, markStarting, readJob, type Job } from './job-book.ts'
import { acceptJob } from './job-intake.ts'
import { processStart } from './processes.ts'
import { openState } from './state.ts'
import { openDesk } from './testing-desk.ts'
import { startFarEnd } from './testing-far-end.ts'
import { backupOrder, configOrder, repositoryId } from './testing-orders.ts'

/** A backup that waits in the middle until the test says go. */
const gated = { runs: { backup: { steps: [{ wait: 'go' }, { summary: {} }] } } }
const whole = ['command.result', 'job.started', 'job.finished']

test.concurrent('an ordered backup runs once and everything about it is told, in order', async () => {
  await using desk = await openDesk()
  const order = backupOrder()
  desk.end.order(order)

  await until(() => desk.end.memory.facts.some(fact => fact.name === 'snapshots.report'))
  expect(desk.told(order.jobId)).toEqual(whole)
  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'succeeded' })
  expect(desk.restic.runs('backup')).toHaveLength(1)
  await until(() => desk.agent.facts().every(fact => fact.acked)) // committed there, the ack on its way here
  expect(desk.end.memory.acks).toMatchObject([{ version: 1 }])
  await until(() => desk.end.memory.stats.some(stats => stats.lockState === 'unlocked'))
})

test.concurrent('a cut link leaves restic alone, and what it did is told when the link is back (row 1)', async () => {
  await using desk = await openDesk({ script: gated })
  const order = backupOrder()
  desk.end.order(order)
  await desk.restic.reached('go')
  await until(() => desk.told(order.jobId).includes('job.started'))

  desk.end.refuseUpgrades = 503
  desk.end.dropSockets()
  desk.restic.open('go')
  await until(() => desk.agent.facts().some(fact => fact.name === 'job.finished' && !fact.acked))
  expect(desk.told(order.jobId)).not.toContain('job.finished')

  desk.end.refuseUpgrades = undefined
  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'succeeded' })
  expect(desk.told(order.jobId)).toEqual(whole)
  expect(desk.end.memory.hellos.at(-1)?.knownJobs).toEqual([{ jobId: order.jobId, status: 'succeeded' }])
  expect(desk.restic.runs('backup')).toMatchObject([{ signals: [] }])
})

test('a link that swallows everything is noticed and replaced (row 2)', async () => {
  await using end = await startFarEnd()
  await using proxy = await startTcpProxy({ port: end.port })
  const timing = { ping: 200, pong: 200, answer: 500 }
  await using desk = await openDesk({ timing, configured: false, url: `http://127.0.0.1:${proxy.port}` })
  await until(() => end.memory.hellos.length === 1)

  await proxy.set('blackhole')
  await until(() => desk.agent.status().link?.state === 'connecting')
  await proxy.set('pass')
  await until(() => end.memory.hellos.length === 2)
})

test.concurrent('a server that is killed in mid-job finds everything when it is back', async () => {
  await using desk = await openDesk({ script: gated })
  const order = backupOrder()
  desk.end.order(order)
  await desk.restic.reached('go')
  await until(() => desk.told(order.jobId).includes('job.started'))

  await desk.end.stop()
  desk.restic.open('go')
  await until(() => desk.agent.facts().some(fact => fact.name === 'job.finished'))
  await using back = await startFarEnd({ port: desk.end.port, memory: desk.end.memory })
  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'succeeded' })
  expect(desk.told(order.jobId)).toEqual(whole)
  expect(back.memory.sessions).toHaveLength(2)
})

test.concurrent('a server put back to a moment between the end of a job and its log is owed a gap in its place (row 19)', async () => {
  await using desk = await openDesk()
  const { memory } = desk.end
  const hasEnd = () => memory.facts.some(({ name }) => name === 'job.finished')
  // A log that was there before the end of its job would be in every dump that holds the end.
  desk.end.before = name => (name === 'log.stream' ? until(hasEnd).then(() => {}) : undefined)
  const order = backupOrder()
  desk.end.order(order)
  const { lastLogSeq } = await desk.ending(order.jobId)
  const seen = () =>
    desk.log(order.jobId).reduce((sum, entry) => sum + ('gap' in entry ? entry.gap.count : 1), 0)
  await until(() => memory.facts.some(({ name }) => name === 'snapshots.report') && seen() === lastLogSeq + 1)
  await until(() => desk.agent.facts().every(fact => fact.acked))
  const written = desk.log(order.jobId)
  expect(written.some(entry => 'gap' in entry)).toBe(false)

  desk.end.dropSockets()
  await until(() => memory.hellos.length === 2)
  // It had everything: nothing was owed, or what was is ignored.
  expect(desk.log(order.jobId)).toEqual(written)
  memory.facts = memory.facts.filter(({ name }) => name !== 'snapshots.report')
  memory.logs = []
  desk.end.dropSockets()
  await until(() => seen() === lastLogSeq + 1)
  expect(desk.log(order.jobId)).toMatchObject([{ seq: 0, gap: { count: lastLogSeq + 1 } }])
})

test.concurrent('a fact whose ack is lost is sent again, and the repeat changes nothing', async () => {
  await using desk = await openDesk()
  const lost = new Set<string>()
  desk.end.after = name => {
    if (!['command.result', 'job.started', 'job.finished'].includes(name) || lost.has(name)) return
    lost.add(name)
    desk.end.dropSockets()
    throw new Error('the answer never arrives')
  }
  const order = backupOrder()
  desk.end.order(order)
  await desk.ending(order.jobId)
  await until(() => desk.agent.facts().every(fact => fact.acked))
  expect(desk.told(order.jobId)).toEqual(whole)
  const deliveries = desk.end.memory.deliveries.filter(fact => fact.name === 'command.result')
  expect(deliveries.length).toBeGreaterThan(1)
  expect(desk.restic.runs('backup')).toHaveLength(1)
})

test.concurrent('an order that comes again is answered as the first time and never runs again (row 35)', async () => {
  await using desk = await openDesk()
  const order = backupOrder()
  desk.end.order(order)
  desk.end.order({ ...order })
  await desk.ending(order.jobId)
  const answersSoFar = () => desk.end.memory.deliveries.filter(fact => fact.name === 'command.result').length
  const before = answersSoFar()
  desk.end.order({ ...order })
  await until(() => answersSoFar() > before)
  expect(
    desk.end.memory.deliveries.filter(fact => fact.name === 'command.result').map(fact => fact.message),
  ).toEqual(Array(answersSoFar()).fill(expect.objectContaining({ accepted: true, seq: 1 })))
  expect(desk.restic.runs('backup')).toHaveLength(1)
})

test.concurrent('a job whose acceptance the server turns down ends as cancelled and never starts', async () => {
  await using desk = await openDesk()
  desk.end.proceed = () => false
  const order = backupOrder()
  desk.end.order(order)
  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'cancelled', lastLogSeq: -1 })
  expect(desk.told(order.jobId)).toEqual(['command.result', 'job.finished'])
  expect(desk.restic.runs('backup')).toHaveLength(0)
})

test.concurrent('an accepted job starts by itself when no answer comes', async () => {
  await using desk = await openDesk({ timing: { proceedAlone: 300 } })
  desk.end.before = name => {
    if (name !== 'command.result') return
    desk.end.refuseUpgrades = 503
    desk.end.dropSockets()
    throw new Error('nobody is there')
  }
  const order = backupOrder()
  desk.end.order(order)
  await until(() => desk.agent.facts().some(fact => fact.name === 'job.finished'))
  expect(desk.restic.runs('backup')).toHaveLength(1)
  desk.end.before = () => {}
  desk.end.refuseUpgrades = undefined
  await desk.ending(order.jobId)
  expect(desk.told(order.jobId)).toEqual(whole)
})

test.concurrent('a running job that is cancelled is interrupted and ends as cancelled', async () => {
  await using desk = await openDesk({ script: gated })
  const order = backupOrder()
  desk.end.order(order)
  await desk.restic.reached('go')
  desk.end.order({ order: 'command.cancel', jobId: order.jobId })
  expect(await desk.ending(order.jobId)).toMatchObject({
    status: 'cancelled',
    reason: 'cancelled_by_operator',
  })
  expect(desk.restic.runs('backup')).toMatchObject([{ signals: ['SIGINT'] }])
})

test.concurrent('a cancel that comes with the order keeps the job from starting', async () => {
  await using desk = await openDesk()
  desk.end.before = name => {
    if (name === 'command.result' && desk.end.memory.orders.length < 3)
      desk.end.order({ order: 'command.cancel', jobId: order.jobId })
  }
  const order = backupOrder()
  desk.end.order(order)
  const { status } = await desk.ending(order.jobId)
  expect(desk.told(order.jobId).filter(name => name === 'job.finished')).toHaveLength(1)
  expect([status, desk.restic.runs('backup').length]).toEqual(['cancelled', 0])
})

test.concurrent('a cancel for a job that has ended changes nothing and repeats its end (row 34)', async () => {
  await using desk = await openDesk()
  const order = backupOrder()
  desk.end.order(order)
  await desk.ending(order.jobId)
  const ends = () => desk.end.memory.deliveries.filter(fact => fact.name === 'job.finished').length
  await until(() => desk.agent.facts().every(fact => fact.acked))
  const before = ends()
  desk.end.order({ order: 'command.cancel', jobId: order.jobId })
  await until(() => ends() > before)
  expect(desk.told(order.jobId)).toEqual(whole)
  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'succeeded' })
})

test.concurrent('a cancel for a job never seen is remembered, told, and a later order for it is turned away (row 34)', async () => {
  await using desk = await openDesk()
  const order = backupOrder()
  const { jobId } = order
  desk.end.order({ order: 'command.cancel', jobId, kind: 'backup', repositoryId })
  expect(await desk.ending(jobId)).toMatchObject({ status: 'cancelled' })
  desk.end.order(order)
  await until(() => desk.told(jobId).includes('command.result'))
  const result = desk.end.memory.facts.find(fact => fact.name === 'command.result')
  expect(result?.message).toMatchObject({ jobId, accepted: false, reason: 'cancelled_by_operator' })
  expect(desk.restic.runs('backup')).toHaveLength(0)
})

test.concurrent('an order waits for the configuration it needs', async () => {
  await using desk = await openDesk({ configured: false })
  const order = { ...backupOrder(), configVersion: 7 }
  desk.end.order(configOrder({ version: 6 }))
  desk.end.order(order)
  await until(() => desk.end.memory.acks.some(ack => ack.version === 6))
  expect(desk.told(order.jobId)).toEqual([])
  desk.end.order(configOrder({ version: 7 }))
  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'succeeded' })
})

test.concurrent('what this agent does not understand is answered, left alone, and never runs (row 26)', async () => {
  await using desk = await openDesk()
  const wrongKind = { ...backupOrder(), kind: 'rearrange' }
  const wrongSpec = { ...backupOrder(), spec: { paths: ['/etc'], hook: 'rm -rf /' } }
  const noRepository = { ...backupOrder(), repositoryId: newId() }
  for (const order of [wrongKind, wrongSpec, noRepository, { order: 'dance' }, { no: 'order' }])
    desk.end.order(order as never)
  const fine = backupOrder()
  desk.end.order(fine)
  await desk.ending(fine.jobId)
  const answers = Object.fromEntries(
    desk.end.memory.facts.flatMap(({ name, message }) =>
      name === 'command.result' ? [[message.jobId, message.reason]] : [],
    ),
  )
  expect(answers).toEqual({
    [wrongKind.jobId]: 'unsupported',
    [wrongSpec.jobId]: 'unsupported',
    [noRepository.jobId]: 'configuration_missing',
    [fine.jobId]: undefined,
  })
  expect(desk.restic.runs('backup')).toHaveLength(1)
})

test.concurrent('an agent that is killed leaves no restic behind, and the job ends as failed at the next start (row 20)', async () => {
  await using desk = await openDesk({ process: true, script: gated })
  const order = backupOrder()
  desk.end.order(order)
  const run = await desk.restic.reached('go')
  await until(() => desk.told(order.jobId).includes('job.started'))
  await desk.agent.kill()
  await until(() => processStart(run.pid) === undefined)
  await desk.agent.restart()
  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'failed', reason: 'agent_restarted' })
  expect(desk.told(order.jobId)).toEqual(whole)
  expect(desk.restic.runs('backup')).toHaveLength(1)
})

test.concurrent('a job whose snapshot was saved before the agent was killed ends as incomplete (row 20)', async () => {
  const script = { runs: { backup: { steps: [{ summary: {} }, { wait: 'never' }] } } }
  await using desk = await openDesk({ process: true, script })
  const order = backupOrder()
  desk.end.order(order)
  await desk.restic.reached('never')
  await until(() => desk.told(order.jobId).includes('job.started'))
  await desk.agent.kill()
  await desk.agent.restart()
  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'incomplete', reason: 'agent_restarted' })
  await until(() => desk.end.memory.facts.some(fact => fact.name === 'snapshots.report'))
})

test.concurrent('an orderly stop interrupts restic and tells how the job ended before the agent is gone', async () => {
  await using desk = await openDesk({ process: true, script: gated })
  const order = backupOrder()
  desk.end.order(order)
  const run = await desk.restic.reached('go')
  await desk.agent.stop()
  expect(processStart(run.pid)).toBeUndefined()
  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'failed', reason: 'agent_stopping' })
  expect(desk.restic.runs('backup')).toMatchObject([{ signals: ['SIGINT'] }])
})

test.concurrent('a SIGHUP, as restic sends it to test a lock, does not end the agent', async () => {
  await using desk = await openDesk({ process: true })
  await until(() => desk.end.memory.hellos.length === 1)
  process.kill(desk.agent.pid() as number, 'SIGHUP')
  const order = backupOrder()
  desk.end.order(order)
  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'succeeded' })
})

test.concurrent('jobs run one after another in the order they came, and more at once when the configuration says so', async () => {
  await using desk = await openDesk({ script: gated })
  const [first, second] = [backupOrder(), backupOrder()]
  desk.end.order(first)
  desk.end.order(second)
  await desk.restic.reached('go')
  await until(
    () => desk.agent.facts().filter(fact => fact.name === 'command.result' && fact.acked).length === 2,
  )
  expect(desk.restic.runs('backup')).toHaveLength(1)
  desk.end.order(configOrder({ version: 2, maxConcurrentRuns: 2 }))
  await until(() => desk.restic.runs('backup').length === 2)
  desk.restic.open('go')
  await Promise.all([desk.ending(first.jobId), desk.ending(second.jobId)])
})

const crashPoints = [
  { written: 'accepted', runs: 1, ends: { status: 'succeeded' } },
  { written: 'starting', runs: 0, ends: { status: 'failed', reason: 'agent_restarted' } },
  { written: 'running', runs: 0, ends: { status: 'failed', reason: 'agent_restarted' } },
  { written: 'ended', runs: 0, ends: { status: 'succeeded' } },
]
test.concurrent.for(crashPoints)(
  'an agent that crashed with a job $written on disk starts it $runs times after that',
  async point => {
    await using desk = await openDesk()
    await until(() => desk.end.memory.acks.length === 1)
    await desk.agent.stop()
    const order = backupOrder()
    const state = openState(desk.agent.stateDir, createLog({ level: 'silent' }))
    acceptJob(state, order as never)
    const job = readJob(state, order.jobId) as Job
    const { pid } = spawnSync('true')
    if (point.written !== 'accepted') markStarting(state, job.id)
    if (['running', 'ended'].includes(point.written))
      markRunning(state, job, { command: 'restic backup', resticVersion: '0.18.0', pid, pidStarted: '1' })
    if (point.written === 'ended') endJob(state, job, { status: 'succeeded', warnings: [], lastLogSeq: -1 })
    state.close()

    desk.end.order(order)
    await desk.agent.restart()
    expect(await desk.ending(job.id)).toMatchObject(point.ends)
    await until(() => desk.agent.facts().every(fact => fact.acked))
    expect(desk.told(job.id).filter(name => name === 'job.finished')).toHaveLength(1)
    expect(desk.restic.runs('backup')).toHaveLength(point.runs)
  },
)

test.concurrent('a process that got the id of a restic from before a reboot is left alone, and the job ends (row 22)', async () => {
  await using desk = await openDesk()
  await until(() => desk.end.memory.acks.length === 1)
  await desk.agent.stop()
  const order = backupOrder()
  const stranger = spawn('sleep', ['600'])
  const state = openState(desk.agent.stateDir, createLog({ level: 'silent' }))
  acceptJob(state, order)
  markStarting(state, order.jobId)
  const [, started = ''] = processStart(stranger.pid as number)?.split(' ') ?? []
  const lastBoot = `00000000-0000-4000-8000-000000000000 ${started}`
  const start = { command: 'restic backup', resticVersion: '0.18.0', pid: stranger.pid as number }
  markRunning(state, readJob(state, order.jobId) as Job, { ...start, pidStarted: lastBoot })
  state.close()
  await desk.agent.restart()
  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'failed', reason: 'agent_restarted' })
  expect([stranger.exitCode, stranger.signalCode]).toEqual([null, null])
  stranger.kill('SIGKILL')
})

test.concurrent('an agent stops although the last word on a repository cannot be told any more', async () => {
  await using desk = await openDesk()
  const order = backupOrder()
  desk.end.before = async name => {
    if (name === 'repo.stats') await new Promise(() => {})
  }
  desk.end.order(order)
  await desk.ending(order.jobId)
  await until(() => desk.end.memory.facts.some(fact => fact.name === 'snapshots.report'))
  await until(() => desk.agent.status().jobs?.length === 0)
  await desk.agent.stop()
  expect(desk.agent.status()).toMatchObject({ agentRuns: false, link: { state: 'stopped' } })
})

test('a flood of output and an endless line cost neither restic its end nor the agent its memory', async () => {
  const lines = 600_000
  const steps = [
    { flood: { lines, text: 'x'.repeat(100) } },
    { longLine: { bytes: 60_000_000 } },
    { summary: {} },
  ]
  await using desk = await openDesk({ process: true, script: { runs: { backup: { steps } } } })
  const order = backupOrder()
  desk.end.order(order)
  const { status, lastLogSeq } = await desk.ending(order.jobId)
  expect(status).toBe('succeeded')
  const peak =
    Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${desk.agent.pid()}/status`, 'utf8'))?.[1]) * 1024
  expect(peak).toBeLessThan(350 * 1024 * 1024)
  // Asked often: reading the whole log each time would keep the far end from taking the rest of it.
  const reached = () => {
    const newest = desk.end.memory.logs.at(-1)
    return newest === undefined ? -1 : newest.firstSeq + newest.count - 1
  }
  await until(() => reached() === lastLogSeq)
  const log = desk.log(order.jobId)
  expect(lastLogSeq).toBeGreaterThan(lines)
  expect(log.some(entry => 'gap' in entry)).toBe(true)
  expect(log.every(entry => 'gap' in entry || Buffer.byteLength(entry.payload) <= 16_384)).toBe(true)
})
