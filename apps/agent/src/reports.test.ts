// What the server learns after maintenance: the whole repository, though this host reaches it with lent access alone.
import { newId } from '@restic-manager/contract/ids'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import type { AgentOrder } from '@restic-manager/contract/agent'
import { openDesk, type Desk } from './testing-desk.ts'
import { backupOrder, repositoryId } from './testing-orders.ts'

const lent = { url: '/srv/lent', password: 'a word that is lent' }

function maintenance(
  kind: 'prune' | 'check',
  repository: string,
  isLent: boolean,
): AgentOrder & { jobId: string } {
  return {
    ...{ order: 'command.run', jobId: newId(), kind, repositoryId: repository, configVersion: 1, spec: {} },
    ...(isLent ? { elevatedAccess: lent } : {}),
  } as AgentOrder & { jobId: string }
}

const script = {
  runs: {
    prune: { steps: [{ print: 'remaining:            36 blobs / 1.000 KiB' }] },
    check: { steps: [{ print: 'no errors were found' }] },
  },
}

const statsOf = (desk: Desk, repository: string) =>
  desk.end.memory.stats.filter(stats => stats.repositoryId === repository)

test('after a prune with lent access all snapshots and the size are told, and nothing of the access is kept', async () => {
  await using desk = await openDesk({ script })
  const foreign = newId() // the host has no everyday access to it
  const order = maintenance('prune', foreign, true)
  desk.end.order(order)
  expect(await desk.ending(order.jobId)).toMatchObject({
    status: 'succeeded',
    stats: { remainingBytes: 1_024 },
  })
  await until(() =>
    desk.end.memory.facts.some(
      ({ name, message }) => name === 'snapshots.report' && 'scope' in message && message.scope === 'whole',
    ),
  )
  await until(() =>
    statsOf(desk, foreign).some(({ sizeBytes, lockState }) => sizeBytes === 0 && lockState === 'unlocked'),
  )
  expect(desk.restic.runs('prune')[0]?.env).toMatchObject({
    RESTIC_REPOSITORY: lent.url,
    RESTIC_PASSWORD: lent.password,
  })
  const { facts, logs, stats, progress } = desk.end.memory
  const told = JSON.stringify([desk.agent.facts(), facts, logs, stats, progress])
  expect(told).not.toContain(lent.password)
})

test('after a check the server knows when that was and how it went', async () => {
  await using desk = await openDesk({ script })
  const [backup, order] = [backupOrder(), maintenance('check', repositoryId, false)]
  desk.end.order(backup)
  await desk.ending(backup.jobId)
  desk.end.order(order)
  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'succeeded' })
  await until(() =>
    statsOf(desk, repositoryId).some(
      ({ lastCheckStatus, lastCheckAt }) => lastCheckStatus === 'ok' && lastCheckAt !== undefined,
    ),
  )
  const scopes = desk.end.memory.facts.flatMap(({ message }) => ('scope' in message ? message.scope : []))
  expect(new Set(scopes)).toEqual(new Set(['own']))
})
