// live.changes, jobs.follow and jobs.tail: said when it is new, taken up where it broke off, ended when the socket closes.
import { isTrackedEnvelope } from '@trpc/server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeLine } from '@restic-manager/contract/log'
import type { Change } from '@restic-manager/contract/change'
import type { JobLive, LogPage } from '@restic-manager/contract/views'
import { appendLog } from '../fleet/logs.ts'
import { keepProgress } from '../fleet/job-progress.ts'
import { answerCommand, finishJob, startJob } from '../fleet/job-reports.ts'
import { updateHost } from '../fleet/hosts.ts'
import { makeHost, type TestHost } from '../testing-fleet.ts'
import { routerParts } from '../testing-routers.ts'
import { worthSaying } from './live.ts'
import { operatorRouter } from './router.ts'

let parts: Awaited<ReturnType<typeof routerParts>>
let host: TestHost
beforeAll(async () => {
  parts = await routerParts()
  host = await makeHost(parts.database.db, parts.database.seal)
})
afterAll(() => parts.close())

const open = () => {
  const socket = new AbortController()
  return { socket, api: operatorRouter.createCaller(parts.operatorContext('viewer', socket.signal)) }
}
const linesOf = (jobId: string, firstSeq: number, lines: string[]) => ({
  jobId,
  firstSeq,
  count: lines.length,
  startedAt: '2026-11-23T07:00:00.000Z',
  block: lines.map((line, at) => encodeLine(at, 'stdout', line)).join(''),
})
const append = (block: ReturnType<typeof linesOf>) => appendLog(parts.database.db, host.sender, block)
const header = (jobId: string) => ({ jobId, kind: 'backup' as const, repositoryId: host.repositoryId })

/** Reads until something fits; vitest's own limit ends a wait for what never comes. */
async function nextThat<T>(stream: AsyncIterator<T>, fits: (value: T) => boolean): Promise<T> {
  for (;;) {
    const { done, value } = await stream.next()
    if (done) throw new Error('the stream has ended')
    if (fits(value)) return value
  }
}

test('a page hears what to read again', async () => {
  const { socket, api } = open()
  const stream = (await api.live.changes())[Symbol.asyncIterator]()
  expect((await stream.next()).value).toEqual({ topic: 'everything', id: '' })
  await updateHost(parts.database.db, { hostId: host.hostId, tags: ['prod'] })
  await nextThat<Change>(stream, change => change.topic === 'host' && change.id === host.hostId)
  const { jobId } = await host.backUp()
  await nextThat<Change>(stream, change => change.topic === 'job' && change.id === jobId)
  socket.abort()
  expect((await stream.next()).done).toBe(true)
})

test('a burst is one word, and progress is said of each job at most once a second', () => {
  const changes = (topic: 'job' | 'progress', count: number) =>
    Array.from({ length: count }, (_, at) => ({ topic, id: `${at}` }))
  const stirred = new Map<string, number>()
  expect(worthSaying({ everything: false, changes: changes('job', 500) }, stirred, 0)).toEqual([
    { topic: 'everything', id: '' },
  ])
  expect(worthSaying({ everything: false, changes: changes('progress', 3) }, stirred, 0)).toHaveLength(3)
  expect(worthSaying({ everything: false, changes: changes('progress', 3) }, stirred, 999)).toHaveLength(0)
  expect(worthSaying({ everything: false, changes: changes('progress', 3) }, stirred, 1_000)).toHaveLength(3)
  expect(
    worthSaying({ everything: false, changes: changes('progress', 5_000) }, stirred, 5_000).length,
  ).toBeLessThanOrEqual(20)
})

test('a job is followed from its queue to its end', async () => {
  const { db } = parts.database
  const { jobId } = await host.backUp()
  const { socket, api } = open()
  const stream = (await api.jobs.follow({ jobId }))[Symbol.asyncIterator]()
  const until = (fits: (live: JobLive) => boolean) => nextThat<JobLive>(stream, fits)
  await until(live => live.status === 'queued')
  await answerCommand(db, host.sender, { ...host.fact('first'), ...header(jobId), accepted: true })
  await until(live => live.status === 'accepted')
  const startedAt = '2026-11-23T07:00:00.000Z'
  await startJob(db, host.sender, {
    ...host.fact(),
    ...header(jobId),
    startedAt,
    command: 'restic',
    resticVersion: '0.18.0',
  })
  await keepProgress(db, host.sender, {
    jobId,
    phase: 'running',
    percentDone: 0.25,
    filesDone: 1,
    totalFiles: 4,
    bytesDone: 1,
    totalBytes: 4,
    throughputBps: 1,
  })
  await until(live => live.status === 'running' && live.progress?.percentDone === 0.25)
  await finishJob(db, host.sender, {
    ...host.fact(),
    ...header(jobId),
    status: 'succeeded',
    finishedAt: startedAt,
    warnings: [],
    lastLogSeq: -1,
  })
  await until(live => live.status === 'succeeded' && live.progress === null)
  socket.abort()
  expect((await stream.next()).done).toBe(true)
})

test('a tail says every line once, also when it is taken up again after a break', async () => {
  const { jobId } = await host.backUp()
  const seen: number[] = []
  let lastEventId: string | undefined
  const tail = async (enough: number) => {
    const { socket, api } = open()
    const stream = await api.jobs.tail({ jobId, lastEventId })
    for await (const event of stream) {
      if (!isTrackedEnvelope(event)) throw new Error('a value of a tail is not tracked')
      const [id, page] = event as unknown as [string, LogPage]
      seen.push(...page.entries.map(entry => entry.seq))
      lastEventId = id
      if (seen.length >= enough) break
    }
    socket.abort()
  }
  await append(linesOf(jobId, 0, ['one', 'two']))
  await tail(2)
  await append(linesOf(jobId, 2, ['three']))
  const later = tail(5)
  await append(linesOf(jobId, 3, ['four', 'five']))
  await later
  expect(seen).toEqual([0, 1, 2, 3, 4])
})

test('when the sockets are closed nobody listens any more', async () => {
  const { jobId } = await host.backUp()
  const opened = Array.from({ length: 5 }, open)
  const streams = await Promise.all(
    opened.flatMap(({ api }) => [api.live.changes(), api.jobs.follow({ jobId }), api.jobs.tail({ jobId })]),
  )
  const readers = streams.map(stream => stream[Symbol.asyncIterator]() as AsyncIterator<unknown>)
  await Promise.all(readers.map(reader => reader.next()))
  const waiting = readers.map(reader => nextThat(reader, () => false).catch(() => 'ended'))
  expect(parts.bus.listeners()).toBe(15)
  for (const { socket } of opened) socket.abort()
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['ended']))
  expect(parts.bus.listeners()).toBe(0)
})
