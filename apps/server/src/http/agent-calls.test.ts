// An agent's call is led past tRPC's own caller: it is answered, and refused, as that one would.
import { callTRPCProcedure, getTRPCErrorFromUnknown } from '@trpc/server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { agentRouter } from '../agent-api/router.ts'
import type { AgentContext } from '../context.ts'
import { helloOf, makeHost } from '../testing-fleet.ts'
import { routerParts } from '../testing-routers.ts'
import { asWireError } from '../wire-errors.ts'
import { agentCalls } from './agent-calls.ts'

let parts: Awaited<ReturnType<typeof routerParts>>
beforeAll(async () => {
  parts = await routerParts()
})
afterAll(() => parts.close())

async function contextOf({ greeted }: { greeted: boolean }): Promise<AgentContext> {
  const { db, seal } = parts.database
  const ctx = parts.agentContext((await makeHost(db, seal)).sender)
  if (greeted) await agentCalls.get('agent.hello')?.(ctx, helloOf())
  return ctx
}

/** What is said to a call on both ways: its answer, or its refusal as it would be shaped for the wire. */
async function bothWays(ctx: AgentContext, path: string, input: unknown) {
  const outcome = async (call: () => unknown) => {
    try {
      return { answer: await call() }
    } catch (error) {
      const { code, message, cause } = getTRPCErrorFromUnknown(asWireError(error))
      return { code, message, cause: cause?.constructor.name, said: cause?.message }
    }
  }
  return {
    straight: await outcome(() => agentCalls.get(path)?.(ctx, input)),
    theirs: await outcome(() =>
      callTRPCProcedure({
        ...{ router: agentRouter, ctx, path, type: 'mutation', signal: ctx.closed, batchIndex: 0 },
        getRawInput: async () => input,
      }),
    ),
  }
}

const beat = { sentAt: '2026-11-23T07:00:00.000Z', spool: { facts: 0, logBytes: 0 } }

test('every mutation is among them', () => {
  const procedures = agentRouter._def.procedures as unknown as Record<string, { _def: { type: string } }>
  const mutations = Object.keys(procedures).filter(path => procedures[path]?._def.type === 'mutation')
  expect([...agentCalls.keys()]).toEqual(mutations)
  expect(mutations).toContain('agent.heartbeat')
})

test.each([...agentCalls.keys()])(
  '%s is refused as tRPC would, before hello and for what cannot be read',
  async path => {
    for (const greeted of [false, true])
      for (const input of [undefined, null, 7, [], {}, { jobId: 7, spool: null, block: ['\0'] }]) {
        const { straight, theirs } = await bothWays(await contextOf({ greeted }), path, input)
        expect(straight).toEqual(theirs)
        expect(straight).toHaveProperty('code')
      }
  },
)

test('a heartbeat is answered, with what is unknown in it left out', async () => {
  const { straight, theirs } = await bothWays(await contextOf({ greeted: true }), 'agent.heartbeat', {
    ...beat,
    mood: 'good',
  })
  expect(straight).toEqual({ answer: { serverTime: expect.any(String) } })
  expect(theirs).toEqual({ answer: { serverTime: expect.any(String) } })
})

test('an answer that the contract does not know never leaves', async () => {
  const ctx = await contextOf({ greeted: true })
  const block = {
    jobId: '0192b7e4-0000-7000-8000-000000000001',
    firstSeq: 0,
    count: 1,
    startedAt: beat.sentAt,
    block: '1\to\tx\n',
  }
  for (const answered of [{ nextSeq: -1 }, { nextSeq: 1, password: 'hidden' }]) {
    const logIntake = { ...ctx.logIntake, take: async <T>() => answered as T }
    const { straight, theirs } = await bothWays({ ...ctx, logIntake }, 'log.stream', block)
    expect(straight).toEqual(theirs)
    expect(straight).not.toHaveProperty('answer.password')
  }
})
