// The whole agent against a far end that fails on purpose, with a fake restic that keeps a ledger.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fakeRestic } from '@restic-manager/testkit/fake-restic'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { startAgent } from './testing.ts'
import { startFarEnd, type FarEnd } from './testing-far-end.ts'
import { backupOrder, configOrder } from './testing-orders.ts'

const folder = () => mkdtempSync(join(tmpdir(), 'rm-fake-'))
const quick = { backoffBase: 20, backoffCap: 100, proceedAlone: 60_000 }
const serverOf = (end: FarEnd) => ({ url: end.url, createEnrolment: async () => end.token })
const factsOf = (end: FarEnd, jobId: string) =>
  end.memory.facts.filter(fact => 'jobId' in fact.message && fact.message.jobId === jobId)
const finishedOf = (end: FarEnd, jobId: string) =>
  factsOf(end, jobId).find(fact => fact.name === 'job.finished')

test('an ordered backup runs once and everything about it is told, in order', async () => {
  const restic = fakeRestic(folder())
  await using end = await startFarEnd()
  await using agent = await startAgent(serverOf(end), { restic: restic.path, timing: quick })
  end.order(configOrder())
  const order = backupOrder()
  end.order(order)

  await until(() => end.memory.facts.some(fact => fact.name === 'snapshots.report'))
  expect(factsOf(end, order.jobId).map(fact => fact.name)).toEqual(['command.result', 'job.started', 'job.finished'])
  expect(finishedOf(end, order.jobId)?.message).toMatchObject({ status: 'succeeded' })
  expect(restic.runs('backup')).toHaveLength(1)
  expect(agent.facts().every(fact => fact.acked)).toBe(true)
  expect(end.memory.acks).toMatchObject([{ version: 1 }])
})
