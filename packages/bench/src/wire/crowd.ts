// Many connections in processes of their own, so that their work does not hide in the server's.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import type { CrowdAnswer, CrowdOrder, Member } from './crowd-process.ts'

/** A process may open 20,000 files on many systems, and one event loop does only so much. */
const MOST_IN_ONE = 2_500

export type Crowd = AsyncDisposable & {
  /** Lets `count` connections in. `tokens`: one for each thousand agents; none: the other end is a bare server. */
  join(options: {
    url: string
    count: number
    tokens?: readonly string[]
    beats?: boolean
  }): Promise<CrowdAnswer>
  /** Each connection makes this call so many times, `calls` of them in flight. */
  call(options: { path: string; input: object; times: number; calls: number }): Promise<CrowdAnswer>
  look(): Promise<CrowdAnswer>
}

/** Starts as many processes as `most` connections need. */
export function startCrowd(most: number): Crowd {
  const parts = Array.from({ length: Math.ceil(most / MOST_IN_ONE) }, () =>
    fork(path.join(import.meta.dirname, 'crowd-process.ts')),
  )

  async function askAll(orderOf: (part: number) => CrowdOrder): Promise<CrowdAnswer> {
    const all = await Promise.all(
      parts.map(async (child, part) => {
        child.send(orderOf(part))
        const [said] = (await once(child, 'message')) as [{ answer?: CrowdAnswer; error?: string }]
        if (said.answer === undefined) throw new Error(said.error)
        return said.answer
      }),
    )
    return {
      in: all.reduce((sum, one) => sum + one.in, 0),
      acks: all.reduce((sum, one) => sum + one.acks, 0),
      lastAckAt: Math.max(...all.map(({ lastAckAt }) => lastAckAt)),
      hostIds: all.flatMap(({ hostIds }) => hostIds),
    }
  }

  const memberOf = (number: number, tokens: readonly string[]): Member => ({
    hostname: `wire-${String(number).padStart(5, '0')}`,
    token: tokens[Math.floor(number / 1_000)] ?? '',
    localAddress: `127.2.${Math.floor(number / 250)}.${1 + (number % 250)}`,
  })

  return {
    join({ url, count, tokens, beats = false }) {
      const members = Array.from({ length: count }, (_, number) => memberOf(number, tokens ?? []))
      const each = Math.ceil(count / parts.length)
      return askAll(part => ({
        ...{ do: 'join', url, bare: tokens === undefined, beats },
        members: members.slice(part * each, (part + 1) * each),
      }))
    },
    call: options => askAll(() => ({ do: 'call', ...options })),
    look: () => askAll(() => ({ do: 'look' })),
    async [Symbol.asyncDispose]() {
      await Promise.all(
        parts.map(async child => {
          if (child.exitCode !== null || child.signalCode !== null) return
          const gone = once(child, 'exit')
          child.kill('SIGKILL')
          await gone
        }),
      )
    },
  }
}
