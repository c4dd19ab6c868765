// /join as somebody meets it who calls it in another way than an agent does: refused in tRPC's form, and never a surprise.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { createEnrolment } from '../fleet/enrolments.ts'
import { joinAsAgent } from '../testing-agent.ts'
import { startServer, type TestServer } from '../testing.ts'

let server: TestServer
let challenge: string
beforeAll(async () => {
  server = await startServer()
  const wish = { requestId: newId(), lifeMinutes: 60, maxUses: 1, tags: [], createdBy: 'test' }
  const { token } = await createEnrolment(server.db, wish)
  const { hostId } = await joinAsAgent(server.url, token)
  challenge = JSON.stringify({ hostId })
})
afterAll(() => server[Symbol.asyncDispose]())

const json = { 'content-type': 'application/json' }
const ask = (path: string, init: RequestInit) => fetch(`${server.url}/join/${path}`, init)

test('a call is answered as tRPC answers it, whatever its content type says beside JSON', async () => {
  for (const type of ['application/json', 'Application/JSON; charset=utf-8']) {
    const answer = await ask('session.challenge', {
      ...{ method: 'POST', headers: { 'content-type': type }, body: challenge },
    })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({
      result: { data: expect.objectContaining({ nonce: expect.any(String) }) },
    })
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    expect(answer.headers.get('cache-control')).toBe('no-store')
  }
})

const refused: [string, number, string, string, RequestInit][] = [
  ['another method', 405, 'METHOD_NOT_SUPPORTED', 'session.challenge', { method: 'GET' }],
  ['a body that is taken away', 405, 'METHOD_NOT_SUPPORTED', 'session.challenge', { method: 'DELETE' }],
  ['another content type', 415, 'UNSUPPORTED_MEDIA_TYPE', 'session.challenge', { body: '{}' }],
  ['a form', 415, 'UNSUPPORTED_MEDIA_TYPE', 'session.challenge', { body: new URLSearchParams({ a: 'b' }) }],
  ['no JSON', 400, 'BAD_REQUEST', 'session.challenge', { headers: json, body: '{' }],
  ['nothing at all', 400, 'BAD_REQUEST', 'session.challenge', { headers: json }],
  ['an input of another shape', 400, 'BAD_REQUEST', 'session.prove', { headers: json, body: '[]' }],
  ['a batch of one', 400, 'BAD_REQUEST', 'session.challenge?batch=1', { headers: json, body: '{}' }],
  ['a procedure that is not there', 404, 'NOT_FOUND', 'session.nothing', { headers: json, body: '{}' }],
  ['a name of every object', 404, 'NOT_FOUND', 'constructor', { headers: json, body: '{}' }],
  ['two procedures', 404, 'NOT_FOUND', 'session.prove,session.prove', { headers: json, body: '{}' }],
]
test.each(refused)('%s is refused with %i', async (_what, status, code, path, init) => {
  const answer = await ask(path, { method: 'POST', ...init })
  expect(answer.status).toBe(status)
  expect(await answer.json()).toEqual({
    error: expect.objectContaining({
      message: expect.stringMatching(/\.$|input/),
      code: expect.any(Number),
      data: expect.objectContaining({ code, httpStatus: status }),
    }),
  })
})
