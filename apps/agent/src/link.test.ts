// One connection and its end, against a far end that never answers.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { toInstant } from '@restic-manager/contract/scalars'
import { timing } from '@restic-manager/contract/timing'
import { until } from '@restic-manager/testkit/until'
import { WebSocketServer } from 'ws'
import { expect, test } from 'vitest'
import { openLink } from './link.ts'

test('a call on a link that is over fails soon, dials nobody, and leaves no timer behind', async () => {
  const farEnd = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(farEnd, 'listening')
  const { port } = farEnd.address() as AddressInfo
  let dials = 0
  farEnd.on('connection', () => (dials += 1))
  const timers = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const link = await openLink(
    { serverUrl: `http://127.0.0.1:${port}`, bearer: 'any', timing },
    new AbortController().signal,
  )
  const beat = { sentAt: toInstant(Date.now()), spool: { facts: 0, logBytes: 0 } }
  link.close('the test is over')
  await expect(link.api.agent.heartbeat.mutate(beat)).rejects.toThrow()
  expect(dials).toBe(1)
  await until(() => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length <= timers)
  farEnd.close()
})
