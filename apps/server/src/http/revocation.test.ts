// Revocation: whichever server an agent is connected to, and whichever says so, its socket is closed by what the bus tells.
import { expect, test } from 'vitest'
import { joinAsAgent, openSocket } from '../testing-agent.ts'
import { startServer } from '../testing.ts'
import { closeCodes } from './socket-link.ts'

/** So rarely nobody looks again by the clock: only the bus can have told. */
const never = 3_600_000

test('a host removed at one server loses its socket at another, and does not get in at either', async () => {
  await using one = await startServer({ timing: { poll: never } })
  await using other = await startServer({ beside: one, timing: { poll: never } })
  const agent = await joinAsAgent(one.url, await one.createEnrolment())
  const bearer = await agent.bearer()
  const { socket, closed } = await openSocket(`${one.url}/agent`, { authorization: `Bearer ${bearer}` })
  expect(socket.readyState).toBe(socket.OPEN)
  await other.api.hosts.remove.mutate({ hostId: agent.hostId, confirmName: 'raw' })
  expect(await closed).toBe(closeCodes.shut)
  await expect(agent.bearer()).rejects.toMatchObject({ data: { refusal: 'host_removed' } })
})

test('when a copy shows up at one server, the original is cut off at another', async () => {
  await using one = await startServer({ timing: { poll: never } })
  await using other = await startServer({ beside: one, timing: { poll: never } })
  const agent = await joinAsAgent(one.url, await one.createEnrolment())
  const { closed } = await agent.dial()
  const copy = agent.copyAt(other.url)
  await agent.dial()
  expect(await closed).toBe(closeCodes.fenced)
  const { closed: cut } = await agent.dial()
  await expect(copy.bearer()).rejects.toMatchObject({ data: { refusal: 'host_quarantined' } })
  expect(await cut).toBe(closeCodes.shut)
  expect(await other.api.hosts.get.query({ hostId: agent.hostId })).toMatchObject({ state: 'quarantined' })
  expect((await one.api.alerts.list.query({ hostId: agent.hostId })).rows).toMatchObject([
    { kind: 'host_cloned', acknowledgedAt: null },
  ])
})
