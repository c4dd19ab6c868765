// A fleet that comes back at once: a few at a time get in, the others are sent away cheaply, and all are there in the end.
import { setTimeout as sleep } from 'node:timers/promises'
import { TRPCClientError } from '@trpc/client'
import { expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { toInstant } from '@restic-manager/contract/scalars'
import { is, until } from '@restic-manager/testkit/until'
import { createEnrolment } from '../fleet/enrolments.ts'
import { joinAsAgent, type RawAgent, type RawSocket } from '../testing-agent.ts'
import { helloOf } from '../testing-fleet.ts'
import { startServer } from '../testing.ts'

const FLEET = 80
const AT_ONCE = 8

/** What a server asked for in seconds; undefined when the error says nothing of the kind. */
function waitAsked(error: unknown): number | undefined {
  const response =
    error instanceof TRPCClientError ? (error.meta?.['response'] as Response | undefined) : undefined
  if (response?.status === 503) return Number(response.headers.get('retry-after'))
  return error instanceof Error && error.message === 'refused with 503' ? 1 : undefined
}

/** Dials until it is in, as an agent does, with a second as short as 100 ms. Answers the socket and how often it was sent away. */
async function comeIn(agent: RawAgent): Promise<{ raw: RawSocket; turnedAway: number }> {
  for (let turnedAway = 0; ; turnedAway += 1) {
    try {
      const raw = await agent.dial()
      raw.call(1, 'mutation', 'agent.hello', helloOf())
      await until(() => raw.frames.some(frame => frame.id === 1 && frame.result !== undefined))
      raw.call(2, 'subscription', 'agent.orders')
      raw.call(3, 'subscription', 'schedule.set')
      for (const id of [2, 3])
        await until(() => raw.frames.some(frame => frame.id === id && frame.result?.type === 'data'))
      return { raw, turnedAway }
    } catch (error) {
      const asked = waitAsked(error)
      if (asked === undefined) throw error
      await sleep(asked * 100 * (1 + Math.random()))
    }
  }
}

test(
  'a whole fleet that comes back at once gets in, a few at a time, and those inside are heard meanwhile (row 14)',
  { timeout: 120_000 },
  async () => {
    await using server = await startServer({
      socketLimits: { arriving: AT_ONCE },
      env: { RM_TRUSTED_PROXIES: '127.0.0.1', RM_ALLOW_PLAIN_HTTP: 'yes' },
    })
    const wish = { requestId: newId(), lifeMinutes: 60, maxUses: FLEET, tags: [], createdBy: 'test' }
    const { token } = await createEnrolment(server.db, wish)
    const agents: RawAgent[] = []
    for (let number = 0; number < FLEET; number += 1)
      agents.push(await joinAsAgent(server.url, token, { 'x-forwarded-for': `10.0.0.${number}` }))
    const [early, ...others] = agents
    if (early === undefined) throw new Error('there is no fleet')
    const inside = await comeIn(early)

    let heartbeats = 0
    const storm = new AbortController()
    const beating = (async () => {
      while (!storm.signal.aborted) {
        const id = 100 + heartbeats
        inside.raw.call(id, 'mutation', 'agent.heartbeat', {
          sentAt: toInstant(Date.now()),
          spool: { facts: 0, logBytes: 0 },
        })
        const answer = await until(() => inside.raw.frames.find(frame => frame.id === id))
        expect(answer.error).toBeUndefined()
        heartbeats += 1
      }
    })()
    const back = await Promise.all(others.map(comeIn))
    storm.abort()
    await beating
    expect(heartbeats).toBeGreaterThan(0)
    expect(back.some(({ turnedAway }) => turnedAway > 0)).toBe(true)
    await until(
      async () =>
        (await server.db.execute<{ n: number }>(`select count(*)::integer as n from hosts where online`))[0]
          ?.n,
      is(FLEET),
    )
    for (const { raw } of [inside, ...back]) raw.socket.terminate()
  },
)

test('a host that proves itself to one server and comes in by another holds no place at the first', async () => {
  await using first = await startServer({ socketLimits: { arriving: 1 } })
  await using second = await startServer({ beside: first })
  const wish = { requestId: newId(), lifeMinutes: 60, maxUses: 2, tags: [], createdBy: 'test' }
  const { token } = await createEnrolment(first.db, wish)
  const [crossing, other] = [await joinAsAgent(first.url, token), await joinAsAgent(first.url, token)]
  const inside = await crossing.dial(second.url)
  await expect(other.bearer()).rejects.toThrow('Many agents are coming at once')
  inside.call(1, 'mutation', 'agent.hello', helloOf())
  await until(() => other.bearer().catch(() => undefined))
  inside.socket.terminate()
})
