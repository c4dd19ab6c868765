// An enrolled agent that lies and shouts, at a server in a process of its own: it lives, its memory stays flat, and each try is
// refused with a reason that is counted.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { newId } from '@restic-manager/contract/ids'
import { toInstant } from '@restic-manager/contract/scalars'
import { until } from '@restic-manager/testkit/until'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { joinAsAgent, type RawAgent, type RawSocket } from '../testing-agent.ts'
import { helloOf } from '../testing-fleet.ts'
import { startServer, type TestServer } from '../testing.ts'

let server: TestServer
let evil: RawAgent
let before: number
/** A job and a repository of the host that is lied about. */
let victims: { jobId: string; kind: string; repositoryId: string }
/** A job of the liar itself. */
let own: typeof victims
let seq = 0

const now = toInstant(Date.now())
const fact = (lane: 'first' | 'rest' = 'rest') => ({ lane, seq: ++seq, occurredAt: now })
const endOf = (header: typeof victims) => ({
  ...{ ...fact(), ...header, status: 'failed', finishedAt: now, warnings: [], lastLogSeq: -1 },
})

const memory = () =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid()}/status`, 'utf8'))?.[1]) * 1024
const counted = async (reason: string) =>
  (await server.api.settings.turnedAway.query()).find(row => row.reason === reason)?.count ?? 0

/** Calls and waits for the answer: its error's code, or `ok`. */
async function ask(raw: RawSocket, path: string, input: unknown): Promise<string> {
  const id = ++seq
  raw.call(id, 'mutation', path, input)
  const frame = await until(() => raw.frames.find(each => each.id === id), undefined, { everyMs: 5 })
  return frame.error === undefined
    ? 'ok'
    : ((frame.error as { data?: { code?: string } }).data?.code ?? 'error')
}

/** A connection of the liar, past hello. */
async function greeted(): Promise<RawSocket> {
  const raw = await evil.dial()
  expect(await ask(raw, 'agent.hello', helloOf())).toBe('ok')
  return raw
}

/** What is said on one connection, as often as asked, until each was answered or the connection was closed for it. */
const shout =
  (times: number, say: (raw: RawSocket, round: number) => void, dials = 1) =>
  async () => {
    for (let dial = 0; dial < dials; dial += 1) {
      const raw = await greeted()
      const answered = raw.frames.length
      for (let round = 0; round < times; round += 1) say(raw, round)
      await until(
        () => raw.frames.length >= answered + times || raw.socket.readyState !== raw.socket.OPEN,
        undefined,
        { everyMs: 5 },
      )
      expect(raw.frames.slice(answered).every(frame => frame.error !== undefined)).toBe(true)
      raw.socket.terminate()
    }
  }

/** Pieces of a text of one byte each, below the framing of our own client. */
function sendPieces({ socket }: RawSocket, pieces: number) {
  const tcp = (socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket
  const piece = (opcode: number) => Buffer.from([opcode, 0x81, 0, 0, 0, 0, 0x20])
  tcp.write(piece(1))
  tcp.write(Buffer.concat(Array.from({ length: pieces }, () => piece(0))))
}

const odd = ['', '{', 'null', '[null]', '{"id":{},"method":"query"}', '"x"', '[[[[]]]]', '\u0000', '\ufeff{}']
const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
const call = (path: string, input: string) =>
  `{"id":1,"method":"mutation","params":{"path":"${path}","input":${input}}}`

type Mischief = [what: string, reason: string, act: () => Promise<unknown>]
const mischief: Mischief[] = [
  [
    'thousands of malformed frames',
    'unreadable',
    shout(3_000, (raw, round) => raw.send(odd[round % odd.length])),
  ],
  ['frames of 2 MiB', 'frame_too_large', shout(1, raw => raw.send('x'.repeat(2 * 1024 * 1024)), 8)],
  [
    'texts of almost a frame where a sentence belongs',
    'bad_input',
    shout(30, raw =>
      raw.send(call('job.finished', JSON.stringify({ ...endOf(own), error: 'x'.repeat(900_000) }))),
    ),
  ],
  [
    'values nested 50,000 deep',
    'bad_input',
    shout(30, raw =>
      raw.send(
        call(
          'job.finished',
          JSON.stringify({ ...endOf(own), stats: { deep: 0 } }).replace(':0}', `:${deep}}`),
        ),
      ),
    ),
  ],
  ['a text in a million pieces of a byte', 'frame_too_large', shout(1, raw => sendPieces(raw, 250_000), 4)],
  [
    '50,000 calls in a frame',
    'too_many_calls',
    shout(5, raw => raw.send(`[${Array(50_000).fill('{"id":1,"params":0}').join(',')}]`)),
  ],
  [
    'procedures and fields named after what objects inherit',
    'unreadable',
    shout(300, (raw, round) =>
      round % 3 === 0
        ? raw.send(call('__proto__.constructor', '{}'))
        : raw.send(call('job.finished', `{"${round % 3 === 1 ? '__proto__' : 'constructor'}":{"seq":1}}`)),
    ),
  ],
  [
    'the ids of a job of another host',
    'foreign_id',
    async () => {
      const raw = await greeted()
      const forged: [string, object][] = [
        ['command.result', { ...fact('first'), ...victims, accepted: false }],
        [
          'job.started',
          { ...fact(), ...victims, startedAt: now, command: 'restic', resticVersion: '0.18.0' },
        ],
        ['job.finished', endOf(victims)],
        [
          'log.stream',
          { jobId: victims.jobId, firstSeq: 0, count: 1, startedAt: now, block: '0\to\tforged\n' },
        ],
      ]
      for (const [path, input] of forged)
        expect([path, await ask(raw, path, input)]).toEqual([path, 'NOT_FOUND'])
      expect(await server.statusOf(victims.jobId)).toBe('queued')
      const [row] = await server.db.execute<{ n: number }>(
        `select foreign_id_count as n from hosts where id = '${evil.hostId}'`,
      )
      expect(row?.n).toBe(forged.length)
      raw.socket.terminate()
    },
  ],
  [
    'connections that never say anything',
    'too_many_unproven',
    async () => {
      const idle = Array.from({ length: 700 }, () =>
        connect(server.port, '127.0.0.1')
          .on('error', () => {})
          .resume(),
      )
      await Promise.race(idle.map(socket => once(socket, 'close')))
      for (const socket of idle) socket.destroy()
    },
  ],
]

describe.runIf(process.platform === 'linux')('a hostile agent', () => {
  beforeAll(async () => {
    // With little room for garbage, what grows is what is kept.
    server = await startServer({ process: true, env: { NODE_OPTIONS: '--max-old-space-size=96' } })
    const [victim, liar] = await Promise.all(
      [0, 1].map(async () => joinAsAgent(server.url, await server.createEnrolment())),
    )
    if (victim === undefined || liar === undefined) throw new Error('two machines were to join')
    evil = liar
    const { repositoryId } = await server.api.repositories.create.mutate({
      ...{ requestId: newId(), name: 'main', url: '/srv/main', hostIds: [victim.hostId, evil.hostId] },
    })
    const jobOf = async ({ hostId }: RawAgent) => {
      const about = { requestId: newId(), hostId, repositoryId }
      const order = { ...about, kind: 'backup' as const, spec: { paths: ['/srv'] } }
      return { jobId: (await server.api.jobs.run.mutate(order)).jobId, kind: 'backup', repositoryId }
    }
    victims = await jobOf(victim)
    own = await jobOf(evil)
    before = memory()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  /** It lives, keeps nothing, and hears the liar when it says something true. */
  async function isWell() {
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
    expect(memory() - before).toBeLessThan(150e6)
    const raw = await greeted()
    expect(await ask(raw, 'agent.heartbeat', { sentAt: now, spool: { facts: 0, logBytes: 0 } })).toBe('ok')
    raw.socket.terminate()
    expect(server.log()).not.toMatch(/nobody caught|unhandled/i)
  }

  test.each(mischief)(
    '%s are refused and counted as %s, and neither the process nor its memory minds',
    async (_, reason, act) => {
      const known = await counted(reason)
      await act()
      await until(async () => (await counted(reason)) > known)
      await isWell()
    },
  )

  test('facts that are replayed, and told in any order, change nothing the second time', async () => {
    const raw = await greeted()
    const accepted = { ...fact('first'), ...own, accepted: true }
    const started = { ...fact(), ...own, startedAt: now, command: 'restic', resticVersion: '0.18.0' }
    const ended = { ...fact(), ...own, status: 'succeeded', finishedAt: now, warnings: [], lastLogSeq: -1 }
    const told = [
      ['job.finished', ended],
      ['job.started', started],
      ['command.result', accepted],
    ] as const
    const order = Array.from({ length: 90 }, (_, at) => told[(at * 7 + Math.floor(at / 3)) % 3] ?? told[0])
    for (const [path, input] of order) expect([path, await ask(raw, path, input)]).toEqual([path, 'ok'])
    expect(await server.statusOf(own.jobId)).toBe('succeeded')
    // The same number with another end is a repeat, not news.
    expect(await ask(raw, 'job.finished', { ...ended, status: 'failed' })).toBe('ok')
    expect(await server.statusOf(own.jobId)).toBe('succeeded')
    raw.socket.terminate()
    await isWell()
  })
})
