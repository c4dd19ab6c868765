// Links that are not well in other ways than being cut: too long away, and ended by whoever finds them idle.
import { startTcpProxy, type TcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { until } from '@restic-manager/testkit/until'
import { expect, onTestFinished, test } from 'vitest'
import { openDesk } from './testing-desk.ts'
import { startFarEnd } from './testing-far-end.ts'
import { backupOrder } from './testing-orders.ts'

test('a cut that outlasts the room for logs costs the oldest lines, which become a gap, and no fact (row 3)', async () => {
  const steps = [
    { print: 'the first line' },
    { wait: 'cut' },
    { flood: { lines: 20_000, text: 'x'.repeat(80) } },
    { print: 'the last line' },
    { summary: {} },
  ]
  const logBudget = { bytes: 400_000, headBytes: 1_000 }
  await using desk = await openDesk({ script: { runs: { backup: { steps } } }, logBudget })
  const order = backupOrder()
  desk.end.order(order)
  await desk.restic.reached('cut')
  await until(() => desk.log(order.jobId).length > 0)
  desk.end.refuseUpgrades = 503
  desk.end.dropSockets()
  desk.restic.open('cut')
  await until(() => desk.agent.facts().some(({ name, acked }) => name === 'snapshots.report' && !acked))
  expect(desk.agent.status().spool?.logBytes).toBeLessThanOrEqual(logBudget.bytes)

  desk.end.refuseUpgrades = undefined
  const { lastLogSeq, status } = await desk.ending(order.jobId)
  const reached = () =>
    desk.end.memory.logs.reduce((next, block) => Math.max(next, block.firstSeq + block.count), 0)
  await until(() => reached() === lastLogSeq + 1)
  await until(() => desk.end.memory.facts.some(({ name }) => name === 'snapshots.report'))
  expect([status, desk.told(order.jobId)]).toEqual([
    'succeeded',
    ['command.result', 'job.started', 'job.finished'],
  ])
  const log = desk.log(order.jobId)
  const said = log.flatMap(entry => ('payload' in entry ? entry.payload : []))
  expect([said.includes('the first line'), said.includes('the last line')]).toEqual([true, true])
  const lost = log.reduce((sum, entry) => sum + ('gap' in entry ? entry.gap.count : 0), 0)
  expect(lost).toBeGreaterThan(10_000)
  expect(said.length + lost).toBe(lastLogSeq + 1)
})

test('a link on which nothing happens is kept open: whoever cuts what was idle for five pings never gets to (row 6)', async () => {
  const ping = 100
  await using end = await startFarEnd()
  await using proxy = await startTcpProxy({ port: end.port })
  await using desk = await openDesk({
    configured: false,
    url: `http://127.0.0.1:${proxy.port}`,
    timing: { ping, pong: 5_000 },
    end,
  })
  await until(() => end.connections() === 1)
  // From here on: before, what was left of enrolment is idle for good reason.
  const cutter = cutIdle(proxy, { tickMs: ping, idleTicks: 5 })
  await until(() => cutter.ticks() > 40)
  expect([cutter.cuts(), end.memory.hellos.length, end.memory.heartbeats.length]).toEqual([0, 1, 1])
  expect(desk.agent.status().link?.state).toBe('connected')
})

/** A load balancer with an idle timeout. It counts its own looks, so that a busy machine is idle for nobody. */
function cutIdle(proxy: TcpProxy, { tickMs, idleTicks }: { tickMs: number; idleTicks: number }) {
  let [passed, idle, ticks, cuts] = [0, 0, 0, 0]
  const timer = setInterval(() => {
    ticks += 1
    const now = proxy.counts.up + proxy.counts.down
    idle = now === passed ? idle + 1 : 0
    passed = now
    if (idle < idleTicks || proxy.counts.open === 0) return
    cuts += 1
    proxy.dropAll()
  }, tickMs)
  onTestFinished(() => clearInterval(timer))
  return { ticks: () => ticks, cuts: () => cuts }
}
