// The way in, over real HTTP requests: token, challenge, proof, bearer.
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { sign } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { proofText } from '@restic-manager/contract/join'
import { timing } from '@restic-manager/contract/timing'
import { createArrivals } from '../fleet/arrivals.ts'
import { createEnrolment } from '../fleet/enrolments.ts'
import { claimBearer } from '../fleet/sessions.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeKey, quiet } from '../testing-fleet.ts'
import { joinRouter } from './router.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

type Answer = {
  status: number
  result: Record<string, string>
  error: { message?: string; data?: { refusal?: string } }
}

const arrivals = createArrivals({ most: 64, placeMs: 20_000 })

const post = async (path: string, input: unknown): Promise<Answer> => {
  const headers = { 'content-type': 'application/json' }
  const response = await fetchRequestHandler({
    endpoint: '/join',
    req: new Request(`http://server/join/${path}`, { method: 'POST', headers, body: JSON.stringify(input) }),
    router: joinRouter,
    createContext: () => ({ db: database.db, log: quiet, timing, address: '127.0.0.1', arrivals }),
  })
  const body = (await response.json()) as {
    result?: { data: Record<string, string> }
    error?: Answer['error']
  }
  return { status: response.status, result: body.result?.data ?? {}, error: body.error ?? {} }
}

test('a machine with a token comes in and proves its key, in plain JSON', async () => {
  const { token } = await createEnrolment(database.db, {
    requestId: newId(),
    lifeMinutes: 60,
    maxUses: 1,
    tags: [],
    createdBy: 'anna@example.com',
  })
  const key = makeKey()
  const joined = await post('enrolment.redeem', { token, publicKey: key.publicKey, hostname: 'web-1' })
  expect(joined).toMatchObject({ status: 200, result: { hostName: 'web-1' } })
  const hostId = joined.result['hostId'] ?? ''
  const { result } = await post('session.challenge', { hostId })
  const proof = { hostId, nonce: result['nonce'] ?? '', confirmed: null, next: newId() }
  const signature = sign(null, Buffer.from(proofText(proof)), key.privateKey).toString('base64url')
  const proved = await post('session.prove', { ...proof, signature })
  expect(Date.parse(proved.result['expiresAt'] ?? '')).not.toBeNaN()
  expect(await claimBearer(database.db, proved.result['bearer'] ?? '')).toMatchObject({ id: hostId })
})

test('a stranger learns a code and a sentence, and nothing more', async () => {
  const publicKey = makeKey().publicKey
  expect(
    await post('enrolment.redeem', { token: `rmj_${'x'.repeat(43)}`, publicKey, hostname: 'web-1' }),
  ).toMatchObject({
    status: 403,
    error: { data: { refusal: 'token_refused' } },
  })
  expect(await post('session.challenge', { hostId: newId() })).toMatchObject({
    status: 404,
    error: { data: { refusal: 'host_not_found' } },
  })
  expect(await post('enrolment.redeem', { token: 'x', publicKey: 'y' })).toMatchObject({
    status: 400,
    error: {
      message: expect.stringContaining('token: is not an enrolment token'),
      data: { refusal: 'bad_input' },
    },
  })
})
