// A real agent of a real server that has to be let in first: it waits, says so, and goes on by itself.
import { newId } from '@restic-manager/contract/ids'
import { startServer } from '@restic-manager/server/testing'
import { is, until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { describeStatus } from './status.ts'
import { startAgent } from './testing.ts'

test('an agent that waits for approval says so and shows its fingerprint, and works once it is let in, without a restart', async () => {
  await using server = await startServer()
  const asking = () => server.api.enrolments.create.mutate({ requestId: newId(), needsApproval: true })
  await using agent = await startAgent(
    { url: server.url, createEnrolment: asking },
    { timing: { approvalAsk: 1_000 } },
  )
  const { hostId } = agent
  const stateOf = async () => (await server.api.hosts.get.query({ hostId })).state
  await until(() => agent.status().link?.state, is('waiting'))
  expect(agent.status().link?.why).toMatch(/waits for an admin/)
  expect(agent.status().config).toEqual({ version: 0, repositories: 0 })
  expect(await stateOf()).toBe('waiting')
  const { fingerprint } = await server.api.hosts.get.query({ hostId })
  expect(agent.status().fingerprint).toBe(fingerprint)
  expect(describeStatus(agent.status())).toContain(fingerprint)

  await server.api.enrolments.approve.mutate({ hostId })
  await until(stateOf, is('online'))
  await until(() => agent.status().link?.state, is('connected'))
  await until(async () => (agent.status().config?.version ?? 0) > 0)
})
