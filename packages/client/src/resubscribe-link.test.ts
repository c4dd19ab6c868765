// Promises of a subscription that stays open, with the far end played by the test.
import type { OperatorRouter } from '@restic-manager/server/operator-api'
import { type Operation, type OperationLink, TRPCClientError } from '@trpc/client'
import { observable } from '@trpc/server/observable'
import { expect, test } from 'vitest'
import { resubscribeLink } from './resubscribe-link.ts'

type Far = Parameters<Parameters<typeof observable>[0]>[0]

function open({ stranger = async () => undefined }: { stranger?: () => Promise<never | undefined> } = {}) {
  const inputs: unknown[] = []
  const waits: number[] = []
  const heard: string[] = []
  let far: Far | undefined
  let reached = () => {}
  const closed = new AbortController()
  const wait = (attempt: number) => (waits.push(attempt), 0)
  const next = (({ input }: Operation) =>
    observable(observer => {
      inputs.push(input)
      far = observer as Far
      reached()
    })) as Parameters<OperationLink<OperatorRouter>>[0]['next']
  const op = {
    id: 1,
    type: 'subscription',
    path: 'jobs.tail',
    input: { jobId: 'a' },
    context: {},
    signal: null,
  }
  const listening = resubscribeLink({ closed: closed.signal, stranger, wait })({} as never)({
    op: op as unknown as Operation,
    next,
  }).subscribe({
    next: ({ result }) => heard.push(result.type ?? 'data'),
    error: error => heard.push(error.message),
    complete: () => heard.push('complete'),
  })
  const opened = (count: number) =>
    new Promise<void>(resolve => {
      reached = () => inputs.length >= count && resolve()
      reached()
    })
  const say = (result: object) => far?.next({ result } as never)
  return { inputs, waits, heard, closed, listening, opened, say, far: () => far }
}

const refused = (refusal: string) =>
  new TRPCClientError(refusal, { result: { error: { message: refusal, data: { refusal } } } as never })

test('an end and an outage open it again, from behind the last value that had an id', async () => {
  const { inputs, heard, opened, say, far } = open()
  say({ type: 'data', id: '7', data: [] })
  say({ type: 'stopped' })
  far()?.complete()
  await opened(2)
  far()?.error(refused('unavailable'))
  await opened(3)
  expect(inputs).toEqual([{ jobId: 'a' }, { jobId: 'a', lastEventId: '7' }, { jobId: 'a', lastEventId: '7' }])
  expect(heard).toEqual(['data'])
})

test('waits grow until it has started again', async () => {
  const { waits, opened, say, far } = open()
  for (const count of [2, 3]) {
    far()?.complete()
    await opened(count)
  }
  say({ type: 'started' })
  far()?.complete()
  await opened(4)
  expect(waits).toEqual([0, 1, 0])
})

test('a refusal is told, and nothing is opened again', () => {
  const { inputs, heard, far } = open()
  far()?.error(refused('job_not_found'))
  expect([inputs.length, heard]).toEqual([1, ['job_not_found']])
})

test('a link that is down asks whether the server still knows who this is', async () => {
  const error = refused('not_signed_in')
  const { heard, say } = open({ stranger: async () => error as never })
  say({ type: 'state', state: 'connecting', error: new Error('closed') })
  await new Promise(setImmediate)
  expect(heard).toEqual(['state', 'not_signed_in'])
})

test('once the client is closed an end is an end', () => {
  const { inputs, heard, closed, far } = open()
  closed.abort()
  far()?.complete()
  expect([inputs.length, heard]).toEqual([1, ['complete']])
})
