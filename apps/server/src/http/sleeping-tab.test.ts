// A browser tab that went to sleep with its subscriptions open, beside one that is awake.
import { expect, test } from 'vitest'
import { encodeLine } from '@restic-manager/contract/log'
import { toInstant } from '@restic-manager/contract/scalars'
import { until } from '@restic-manager/testkit/until'
import { appendLog } from '../fleet/logs.ts'
import { openSocket, type RawSocket } from '../testing-agent.ts'
import { makeHost, sealOf } from '../testing-fleet.ts'
import { startServer } from '../testing.ts'

/** More than the sockets of both ends take by themselves: about 16 MB of lines. */
const BLOCKS = 64
const LINES = 256
const line = 'x'.repeat(1_000)

/** No input, as superjson writes it. */
const nothing = { json: null, meta: { values: ['undefined'], v: 1 } }

const wordsOf = (raw: RawSocket, id: number) =>
  raw.frames.filter(frame => frame.id === id && frame.result?.type === 'data').length

test(
  'a tab that sleeps is dropped once it is far behind and reads everything when it comes back, and others are not held up (row 38)',
  { timeout: 90_000 },
  async () => {
    await using server = await startServer({ socketLimits: { roomBytes: 64 * 1024, mostWaitMs: 500 } })
    const host = await makeHost(server.db, sealOf(server))
    const { jobId } = await host.backUp()
    const startedAt = toInstant(Date.now())
    for (let block = 0; block < BLOCKS; block += 1)
      await appendLog(server.db, host.sender, {
        ...{ jobId, firstSeq: block * LINES, count: LINES, startedAt },
        block: Array.from({ length: LINES }, () => encodeLine(0, 'stdout', line)).join(''),
      })

    const authorization = `Bearer ${server.apiKey}`
    const open = async () => {
      const raw = await openSocket(`${server.url}/trpc`, { authorization })
      raw.call(1, 'subscription', 'live.changes', nothing)
      raw.call(2, 'subscription', 'jobs.tail', { json: { jobId } })
      return raw
    }
    const own = server.listeners()
    const asleep = await open()
    await until(() => wordsOf(asleep, 1) > 0)
    asleep.socket.pause()
    const awake = await open()
    await until(() => wordsOf(awake, 2) > 0)

    // What is left are the subscriptions of the other tab, and what the server listens to by itself.
    await until(() => server.listeners() === own + 2, undefined, { what: 'the sleeping tab to be dropped' })
    await until(
      () =>
        awake.frames
          .filter(frame => frame.id === 2)
          .some(frame => JSON.stringify(frame).includes(`"seq":${BLOCKS * LINES - 1}`)),
      undefined,
      { what: 'the whole log in the tab that is awake', timeoutMs: 60_000 },
    )
    const heard = wordsOf(awake, 1)
    await host.backUp()
    await until(() => wordsOf(awake, 1) > heard)
    expect(awake.socket.readyState).toBe(awake.socket.OPEN)

    asleep.socket.resume()
    await asleep.closed
    const back = await open()
    await until(() => wordsOf(back, 1) > 0)
    expect(
      JSON.stringify(back.frames.find(frame => frame.id === 1 && frame.result?.type === 'data')),
    ).toContain('everything')
    for (const { socket } of [awake, back]) socket.terminate()
  },
)
