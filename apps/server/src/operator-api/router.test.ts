// Who may call what: every procedure says a role, and nobody below it gets through.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import type { Principal } from '../context.ts'
import { makeHost } from '../testing-fleet.ts'
import { type OperatorServer, operatorServer } from '../testing-routers.ts'
import { hourly } from '../testing-schedules.ts'
import { operatorRouter } from './router.ts'

/** The whole list, so that nothing is added or loosened by accident. */
const whoMay = {
  'me.get': 'viewer',
  'hosts.list': 'viewer',
  'hosts.policies': 'viewer',
  'hosts.get': 'viewer',
  'hosts.update': 'admin',
  'hosts.remove': 'admin',
  'hosts.release': 'admin',
  'hosts.pause': 'operator',
  'hosts.tags': 'viewer',
  'hosts.bulk': 'operator',
  'hosts.bulkTag': 'admin',
  'hosts.bulkPreview': 'viewer',
  'hosts.bulkProgress': 'viewer',
  'hosts.resume': 'operator',
  'hosts.rotateKey': 'admin',
  'enrolments.create': 'admin',
  'enrolments.get': 'viewer',
  'enrolments.list': 'viewer',
  'enrolments.revoke': 'admin',
  'enrolments.approve': 'admin',
  'enrolments.reject': 'admin',
  'repositories.list': 'viewer',
  'repositories.get': 'viewer',
  'repositories.sizes': 'viewer',
  'repositories.create': 'admin',
  'repositories.update': 'admin',
  'repositories.remove': 'admin',
  'repositories.reveal': 'admin',
  'repositories.test': 'operator',
  'schedules.list': 'viewer',
  'schedules.get': 'viewer',
  'schedules.create': 'admin',
  'schedules.update': 'admin',
  'schedules.setEnabled': 'operator',
  'schedules.remove': 'admin',
  'schedules.preview': 'viewer',
  'schedules.previewRetention': 'operator',
  'schedules.runNow': 'operator',
  'jobs.list': 'viewer',
  'jobs.get': 'viewer',
  'jobs.run': 'operator',
  'jobs.retry': 'operator',
  'jobs.cancel': 'operator',
  'jobs.log': 'viewer',
  'jobs.follow': 'viewer',
  'jobs.tail': 'viewer',
  'snapshots.list': 'viewer',
  'snapshots.get': 'viewer',
  'audit.list': 'admin',
  'audit.export': 'admin',
  'settings.get': 'viewer',
  'settings.about': 'viewer',
  'settings.turnedAway': 'admin',
  'settings.update': 'admin',
  'account.get': 'viewer',
  'account.changePassword': 'viewer',
  'account.beginSecondFactor': 'viewer',
  'account.confirmSecondFactor': 'viewer',
  'account.removeSecondFactor': 'viewer',
  'account.renewRecoveryCodes': 'viewer',
  'account.beginPasskey': 'viewer',
  'account.addPasskey': 'viewer',
  'account.removePasskey': 'viewer',
  'account.unlinkProvider': 'viewer',
  'keys.list': 'viewer',
  'keys.create': 'viewer',
  'keys.revoke': 'viewer',
  'sessions.list': 'viewer',
  'sessions.revoke': 'viewer',
  'sessions.revokeOthers': 'viewer',
  'users.list': 'admin',
  'users.invite': 'admin',
  'users.revokeInvitation': 'admin',
  'users.update': 'admin',
  'users.remove': 'admin',
  'users.signOut': 'admin',
  'overview.counts': 'viewer',
  'overview.get': 'viewer',
  'alerts.list': 'viewer',
  'alerts.acknowledge': 'operator',
  'live.changes': 'viewer',
  'live.database': 'viewer',
  'search.find': 'viewer',
} as const satisfies Record<string, Principal['role']>

const procedures = operatorRouter._def.procedures as unknown as Record<
  string,
  { _def: { type: 'query' | 'mutation' | 'subscription'; meta?: { role?: string } } }
>

test('every procedure declares the role that was decided for it', () => {
  const declared = Object.fromEntries(
    Object.entries(procedures).map(([path, { _def }]) => [path, _def.meta?.role]),
  )
  expect(declared).toEqual(whoMay)
})

describe('nobody gets past the role of a procedure', () => {
  let server: OperatorServer
  beforeAll(async () => {
    server = await operatorServer()
  })
  afterAll(() => server.close())

  const ranks = { viewer: 0, operator: 1, admin: 2 }
  const callers = [undefined, 'viewer', 'operator', 'admin'] as const
  const callable = Object.entries(whoMay).filter(([path]) => procedures[path]?._def.type !== 'subscription')
  const cells = callable.flatMap(([path, role]) => callers.map(caller => ({ path, role, caller })))

  test.each(cells)('$caller calls $path, which needs $role', async ({ path, role, caller }) => {
    const type = procedures[path]?._def.type === 'query' ? 'query' : 'mutation'
    const { refusal } = await server.call(caller, type, path, {})
    const turnedAway = refusal === 'not_signed_in' || refusal === 'not_allowed' ? refusal : undefined
    const isTooLow = caller !== undefined && ranks[caller] < ranks[role]
    expect(turnedAway).toBe(caller === undefined ? 'not_signed_in' : isTooLow ? 'not_allowed' : undefined)
  })

  test.each(['live.changes', 'live.database', 'jobs.follow', 'jobs.tail'])(
    'a stranger cannot subscribe to %s',
    async path => {
      await expect(server.subscribe(undefined, path)).rejects.toMatchObject({
        cause: { code: 'not_signed_in' },
      })
    },
  )
})

describe('what an error says', () => {
  let server: OperatorServer
  beforeAll(async () => {
    server = await operatorServer()
  })
  afterAll(() => server.close())

  test('a malformed input is one sentence with the path of each fault', async () => {
    const error = await server.call('admin', 'mutation', 'repositories.create', {
      name: '',
      url: 'ftp://x',
      hostIds: [],
    })
    expect(error).toMatchObject({ status: 400, refusal: 'bad_input' })
    expect(error.message).toMatch(/requestId: .*; name: .*; url: The address must be/)
  })

  test('a refusal has its code, its sentence and its status', async () => {
    const hostId = '01a2094c-57f3-7ecc-933e-9558bfa03a02'
    expect(await server.call('viewer', 'query', 'hosts.get', { hostId })).toEqual({
      status: 404,
      code: 'NOT_FOUND',
      refusal: 'host_not_found',
      message: 'There is no such host.',
      keys: ['code', 'httpStatus', 'refusal'],
      said: expect.any(String),
    })
  })

  test('a schedule that cannot be saved names each field with its own code and sentence', async () => {
    const { db, seal } = server.database
    const host = await makeHost(db, seal)
    const schedule = hourly([host.repositoryId], { cron: '61 * * * *', paths: [] })
    const error = await server.call('admin', 'mutation', 'schedules.create', {
      requestId: newId(),
      hostId: host.hostId,
      schedule,
    })
    expect(error).toMatchObject({ status: 400, refusal: 'schedule_invalid' })
    expect(error.complaints).toEqual([
      { code: 'invalid_cron', field: 'cron', message: expect.stringContaining('61') },
      { code: 'missing_paths', field: 'paths', message: expect.any(String) },
    ])
  })

  test('a bug says nothing of itself', async () => {
    const broken = await operatorServer({ broken: true })
    const error = await broken.call('viewer', 'query', 'hosts.list', {})
    expect(error).toMatchObject({
      status: 500,
      code: 'INTERNAL_SERVER_ERROR',
      refusal: undefined,
      keys: ['code', 'httpStatus'],
    })
    expect(error.message).toBe('Something went wrong in the server. Its log says what.')
    await broken.close()
  })

  test('a procedure that does not exist is a plain sentence', async () => {
    expect(await server.call('admin', 'query', 'hosts.explode', {})).toMatchObject({
      status: 404,
      code: 'NOT_FOUND',
    })
  })
})
