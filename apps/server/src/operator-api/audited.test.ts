// The audit log promises: whatever an operator changes leaves one row, whatever is refused leaves none, and no row holds a secret.
import { asc, eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { newId } from '@restic-manager/contract/ids'
import { createApiKey } from '../auth/api-keys.ts'
import { createInvitation } from '../auth/invitations.ts'
import { beginPasskey } from '../auth/passkeys.ts'
import { beginSecondFactor, confirmSecondFactor } from '../auth/second-factors.ts'
import { codeOf, stepAt } from '../auth/totp.ts'
import type { Principal } from '../context.ts'
import { hosts } from '../db/schema.ts'
import { apiKeys, auditEvents, operatorAccounts, operatorPasskeys } from '../db/schema-operators.ts'
import { alertPage } from '../fleet/alert-views.ts'
import { auditHash, firstHash } from '../fleet/audit.ts'
import { secretFields, secretMaps } from '../fleet/audit-mask.ts'
import { createEnrolment } from '../fleet/enrolments.ts'
import { cancelJob } from '../fleet/jobs.ts'
import { pauseHost } from '../fleet/pauses.ts'
import { asAnna, enrolMachine, makeHost, repositoryOf, type TestHost } from '../testing-fleet.ts'
import { softPasskey } from '../testing-passkey.ts'
import { type OperatorServer, operatorServer, signedIn } from '../testing-routers.ts'
import { hourly, planOn } from '../testing-schedules.ts'
import { operatorRouter } from './router.ts'

let server: OperatorServer
let host: TestHost
beforeAll(async () => {
  server = await operatorServer()
  host = await makeHost(server.database.db, server.database.seal)
})
afterAll(() => server.close())

const procedures = operatorRouter._def.procedures as unknown as Record<
  string,
  { _def: { type: string; inputs: z.ZodType[] } }
>
const mutations = Object.keys(procedures).filter(path => procedures[path]?._def.type === 'mutation')

const canary = 'canary-7b1f'
const origin = 'http://localhost:8470'

const readEvents = () => server.database.db.select().from(auditEvents).orderBy(asc(auditEvents.number))

type Asked = { input?: object; by?: Principal; about?: string }

/** For every mutation: what makes it succeed. `about`: the kind of thing its row names. */
const waitingHost = async () =>
  (await enrolMachine(server.database.db, 'waiting-1', { needsApproval: true })).hostId

const acts: Record<string, () => Promise<Asked>> = {
  'hosts.update': async () => ({ input: { hostId: host.hostId, name: 'web-2' }, about: 'host' }),
  'hosts.remove': async () => {
    const other = await makeHost(server.database.db, server.database.seal, 'db-1')
    return { input: { hostId: other.hostId, confirmName: 'db-1' }, about: 'host' }
  },
  'hosts.release': async () => {
    const other = await makeHost(server.database.db, server.database.seal, 'db-2')
    await server.database.db
      .update(hosts)
      .set({ quarantinedAt: new Date() })
      .where(eq(hosts.id, other.hostId))
    return { input: { hostId: other.hostId, confirmName: 'db-2' }, about: 'host' }
  },
  'hosts.rotateKey': async () => {
    const other = await makeHost(server.database.db, server.database.seal, 'db-3')
    return { input: { hostId: other.hostId }, about: 'host' }
  },
  'hosts.pause': async () => {
    const other = await makeHost(server.database.db, server.database.seal, 'db-4')
    return { input: { hostId: other.hostId, reason: 'new disks' }, about: 'host' }
  },
  'hosts.bulk': async () => ({
    input: { requestId: newId(), kind: 'resume', hostIds: [host.hostId] },
    about: 'bulk act',
  }),
  'hosts.bulkTag': async () => ({
    input: { requestId: newId(), kind: 'removeTag', tag: 'none', hostIds: [host.hostId] },
    about: 'bulk act',
  }),
  'hosts.resume': async () => {
    const other = await makeHost(server.database.db, server.database.seal, 'db-5')
    await pauseHost(server.database.db, { hostId: other.hostId }, 'anna')
    return { input: { hostId: other.hostId }, about: 'host' }
  },
  'enrolments.create': async () => ({ input: { requestId: newId() }, about: 'enrolment' }),
  'enrolments.revoke': async () => {
    const wish = { requestId: newId(), lifeMinutes: 60, maxUses: 1, tags: [], createdBy: 'anna' }
    const { enrolmentId } = await createEnrolment(server.database.db, wish)
    return { input: { enrolmentId }, about: 'enrolment' }
  },
  'enrolments.approve': async () => ({ input: { hostId: await waitingHost() }, about: 'host' }),
  'enrolments.reject': async () => ({ input: { hostId: await waitingHost() }, about: 'host' }),
  'alerts.acknowledge': async () => {
    const hostId = await waitingHost()
    const { rows } = await alertPage(server.database.db, undefined, { hostId, which: 'open', limit: 1 })
    return { input: { alertId: rows[0]?.id }, about: 'alert' }
  },
  'repositories.create': async () => ({
    input: {
      ...repositoryOf({ hostIds: [host.hostId], url: 's3:https://s3.example.org/bucket' }),
      ...{ password: canary, username: 'AKIA', credential: canary, adminCredential: canary },
      environment: { AWS_DEFAULT_REGION: canary },
    },
    about: 'repository',
  }),
  'repositories.update': async () => {
    const { repositoryId, ...rest } = await aRepository()
    return { input: { ...rest, repositoryId, version: 1, password: canary }, about: 'repository' }
  },
  'repositories.remove': async () => {
    const { repositoryId, name } = await aRepository()
    return { input: { repositoryId, confirmName: name }, about: 'repository' }
  },
  'repositories.reveal': async () => {
    const { repositoryId } = await aRepository()
    return { input: { repositoryId }, about: 'repository' }
  },
  'repositories.test': async () => ({ input: { requestId: newId(), ...place() }, about: 'job' }),
  'schedules.create': async () => ({
    input: { requestId: newId(), hostId: host.hostId, schedule: hourly([host.repositoryId]) },
    about: 'schedule',
  }),
  'schedules.update': async () => {
    const scheduleId = await planOn(server.database.db, host)
    const schedule = hourly([host.repositoryId], { paths: ['/etc'] })
    return { input: { scheduleId, version: 1, schedule }, about: 'schedule' }
  },
  'schedules.setEnabled': async () => {
    const scheduleId = await planOn(server.database.db, host)
    return { input: { scheduleId, version: 1, enabled: false }, about: 'schedule' }
  },
  'schedules.remove': async () => {
    const scheduleId = await planOn(server.database.db, host)
    return { input: { scheduleId, version: 1 }, about: 'schedule' }
  },
  'schedules.previewRetention': async () => {
    const scheduleIds = [await planOn(server.database.db, host)]
    return { input: { requestId: newId(), ...place(), retention: { daily: 7 }, scheduleIds }, about: 'job' }
  },
  'schedules.runNow': async () => {
    const scheduleId = await planOn(server.database.db, host)
    return { input: { requestId: newId(), scheduleId }, about: 'schedule' }
  },
  'jobs.run': async () => ({
    input: { requestId: newId(), ...place(), kind: 'backup', spec: { paths: ['/srv'] } },
    about: 'job',
  }),
  'jobs.retry': async () => {
    const { jobId } = await host.backUp()
    await cancelJob(server.database.db, { jobId, ...asAnna })
    return { input: { requestId: newId(), jobId }, about: 'job' }
  },
  'jobs.cancel': async () => ({ input: { jobId: (await host.backUp()).jobId }, about: 'job' }),
  'settings.update': async () => ({ input: { logDays: 12 }, about: 'settings' }),
  'account.changePassword': async () => ({ by: await withPassword(), input: { password: `${canary}-long` } }),
  'account.beginSecondFactor': async () => ({ by: await withPassword() }),
  'account.confirmSecondFactor': async () => {
    const by = await withPassword()
    return { by, input: { code: await begunCode(by) } }
  },
  'account.renewRecoveryCodes': async () => ({ by: await withAuthenticator() }),
  'account.removeSecondFactor': async () => ({ by: await withAuthenticator() }),
  'account.beginPasskey': async () => ({ by: await withPassword() }),
  'account.addPasskey': async () => {
    const by = await withPassword()
    const { options, ticket } = await beginPasskey(server.database.db, origin, by)
    return { by, input: { name: 'laptop', ticket, response: softPasskey(origin).make(options) } }
  },
  'account.removePasskey': async () => {
    const by = await withPassword()
    const passkeyId = newId()
    await server.database.db.insert(operatorPasskeys).values({
      ...{ id: passkeyId, operatorId: by.operatorId, name: 'laptop', credentialId: passkeyId },
      ...{ publicKey: Buffer.alloc(1), counter: 0, backedUp: false },
    })
    return { by, input: { passkeyId } }
  },
  'account.unlinkProvider': async () => {
    const by = await withPassword()
    const link = {
      id: newId(),
      userId: by.operatorId,
      accountId: newId(),
      providerId: 'https://id.example.org',
    }
    await server.database.db.insert(operatorAccounts).values(link)
    return { by }
  },
  'keys.create': async () => ({ input: { name: 'nightly', scopes: ['jobs:write'], days: 3 } }),
  'keys.revoke': async () => {
    const by = await withPassword()
    await createApiKey(server.database.db, { email: by.email, name: 'old' })
    const [key] = await server.database.db
      .select({ keyId: apiKeys.id })
      .from(apiKeys)
      .where(eq(apiKeys.operatorId, by.operatorId))
    return { by, input: { keyId: key?.keyId } }
  },
  'sessions.revoke': async () => {
    const by = await withPassword()
    return { by, input: { sessionId: by.by.sessionId } }
  },
  'sessions.revokeOthers': async () => {
    const by = await withPassword()
    return { by: { ...by, by: { ...by.by, sessionId: newId() } } }
  },
  'users.invite': async () => ({
    input: { email: 'new@example.org', role: 'viewer', tags: null },
    about: 'invitation',
  }),
  'users.revokeInvitation': async () => {
    const wish = { email: `${newId()}@example.org`, role: 'viewer' as const, tags: null, createdBy: 'anna' }
    await createInvitation(server.database.db, wish)
    const list = await server.database.sql`select id from operator_invitations where email = ${wish.email}`
    return { input: { invitationId: list[0]?.['id'] as string }, about: 'invitation' }
  },
  'users.update': async () => ({
    input: { operatorId: (await withPassword()).operatorId, role: 'operator', tags: ['blue'] },
  }),
  'users.signOut': async () => ({ input: { operatorId: (await withPassword()).operatorId } }),
  'users.remove': async () => ({ input: { operatorId: (await withPassword()).operatorId } }),
}

const place = () => ({ hostId: host.hostId, repositoryId: host.repositoryId })

async function aRepository() {
  const { requestId: _, ...request } = repositoryOf({ hostIds: [] })
  const made = await server.call('admin', 'mutation', 'repositories.create', {
    ...request,
    requestId: newId(),
  })
  const { repositoryId } = (JSON.parse(made.said) as { result: { data: { json: { repositoryId: string } } } })
    .result.data.json
  return { ...request, repositoryId }
}

async function withPassword() {
  const by = await signedIn(server.database.db, 'admin')
  if (by.by.kind !== 'session') throw new Error('a key')
  const account = { id: newId(), userId: by.operatorId, accountId: by.operatorId, providerId: 'credential' }
  await server.database.db.insert(operatorAccounts).values({ ...account, password: 'a hash' })
  return { ...by, by: by.by }
}

async function begunCode(by: Principal): Promise<string> {
  const { secret } = await beginSecondFactor(server.database.db, server.database.seal, by)
  return codeOf(base32Bytes(secret), stepAt(Date.now()))
}

async function withAuthenticator() {
  const by = await withPassword()
  const { db, seal } = server.database
  await confirmSecondFactor(db, seal, {
    ...{ operatorId: by.operatorId, sessionId: by.by.sessionId },
    code: await begunCode(by),
  })
  return by
}

function base32Bytes(text: string): Buffer {
  const bits = [...text].map(char =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(char).toString(2).padStart(5, '0'),
  )
  const octets = bits.join('').match(/.{8}/g) ?? []
  return Buffer.from(octets.map(octet => Number.parseInt(octet, 2)))
}

test('there is an act for every mutation', () => {
  expect(Object.keys(acts).toSorted()).toEqual(mutations.toSorted())
})

test.each(mutations)('%s leaves one row, of who did it to what', async path => {
  const { input, by, about = 'operator' } = (await acts[path]?.()) ?? {}
  const before = (await readEvents()).length
  const answer = await server.call(by ?? 'admin', 'mutation', path, input)
  expect(answer).toMatchObject({ status: 200 })
  const added = (await readEvents()).slice(before)
  expect(added).toMatchObject([
    { action: path, actorKind: 'operator', actorName: expect.stringContaining('@'), address: '127.0.0.1' },
  ])
  expect(added[0]).toMatchObject({
    targetKind: about,
    targetId: expect.any(String),
    targetName: expect.any(String),
  })
})

test.each(mutations)('%s leaves no row when it is refused', async path => {
  const ids = ['hostId', 'repositoryId', 'jobId', 'scheduleId', 'enrolmentId'].map(name => [name, newId()])
  const { input } = (await acts[path]?.()) ?? {}
  const before = (await readEvents()).length
  const stranger: Principal | undefined = undefined
  expect(await server.call(stranger, 'mutation', path, input)).toMatchObject({ status: 401 })
  expect(await readEvents()).toHaveLength(before)
  for (const caller of ['viewer', 'admin'] as const) {
    const known = (await readEvents()).length
    const { status } = await server.call(caller, 'mutation', path, {
      ...Object.fromEntries(ids),
      stray: true,
    })
    // What takes no input has nothing that could be wrong with it.
    if (status !== 200) expect(await readEvents()).toHaveLength(known)
  }
})

describe('what a row holds', () => {
  test('of a change only what changed, with what it was before', async () => {
    const other = await makeHost(server.database.db, server.database.seal, 'old name')
    await server.call('admin', 'mutation', 'hosts.update', { hostId: other.hostId, name: 'new name' })
    expect((await readEvents()).at(-1)).toMatchObject({
      ...{ targetKind: 'host', targetId: other.hostId, targetName: 'new name', hostIds: [other.hostId] },
      ...{ before: { name: 'old name' }, after: { name: 'new name' } },
    })
  })

  test('of a secret that it was set, and nothing else', async () => {
    const { repositoryId, ...rest } = await aRepository()
    await server.call('admin', 'mutation', 'repositories.update', {
      ...{ ...rest, repositoryId, version: 1, password: canary },
    })
    expect((await readEvents()).at(-1)).toMatchObject({ before: {}, after: { password: '[redacted]' } })
  })

  test('none of the secrets that went through all of these', async () => {
    const rows = await readEvents()
    expect(rows.length).toBeGreaterThan(mutations.length)
    expect(JSON.stringify(rows)).not.toContain(canary)
  })

  test('a key is named beside its operator', async () => {
    const by = await withPassword()
    const key = { kind: 'key' as const, keyId: newId(), name: 'nightly', scopes: ['*'] }
    await server.call({ ...by, by: key }, 'mutation', 'settings.update', { logDays: 13 })
    expect((await readEvents()).at(-1)).toMatchObject({
      ...{ actorKind: 'api key', actorId: key.keyId, actorName: `${by.email}, key nightly` },
      ...{ before: { logDays: expect.any(Number) }, after: { logDays: 13 } },
    })
  })
})

test('a request that is repeated does nothing, and leaves no second row', async () => {
  const request = { requestId: newId(), ...place(), kind: 'backup', spec: { paths: ['/srv'] } }
  await server.call('admin', 'mutation', 'jobs.run', request)
  const before = (await readEvents()).length
  expect(await server.call('admin', 'mutation', 'jobs.run', request)).toMatchObject({ status: 200 })
  expect(await readEvents()).toHaveLength(before)
})

test('a change whose row cannot be written does not happen', async () => {
  const own = await operatorServer()
  try {
    const other = await makeHost(own.database.db, own.database.seal, 'as it was')
    await own.database.sql`alter table audit_events rename to gone`
    const request = { hostId: other.hostId, name: 'another' }
    expect(await own.call('admin', 'mutation', 'hosts.update', request)).toMatchObject({ status: 500 })
    const [kept] = await own.database.db
      .select({ name: hosts.name })
      .from(hosts)
      .where(eq(hosts.id, other.hostId))
    expect(kept?.name).toBe('as it was')
  } finally {
    await own.close()
  }
})

test('many who change things at once make one chain without a hole', async () => {
  const days = Array.from({ length: 40 }, (_, index) => index + 1)
  const answers = await Promise.all(
    days.map(logDays => server.call('admin', 'mutation', 'settings.update', { logDays })),
  )
  expect(answers.every(answer => answer.status === 200)).toBe(true)
  const rows = await readEvents()
  expect(rows.map(row => row.number)).toEqual(rows.map((_, index) => index + 1))
  let hash: Buffer = firstHash
  for (const { hash: kept, ...row } of rows) {
    hash = auditHash(hash, row)
    expect(kept.equals(hash), `row ${row.number}`).toBe(true)
  }
  const said = rows.slice(-days.length)
  said.slice(1).forEach((row, index) => expect(row.before).toEqual(said[index]?.after))
})

/** Names that look like a secret's, and are none. */
const harmless = new Set(['keyId', 'passkeyId', 'hookShell', 'keepSecrets'])
const looksSecret = /pass|secret|cred|token|code|key|env|ticket|response|private|bearer/i

test('no mutation takes a field that looks like a secret and is not masked', () => {
  const found = new Set<string>()
  for (const path of mutations)
    for (const schema of procedures[path]?._def.inputs ?? [])
      for (const name of namesIn(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })))
        found.add(name)
  expect(found).toContain('adminCredential')
  const open = [...found].filter(
    name => looksSecret.test(name) && !secretFields.has(name) && !secretMaps.has(name) && !harmless.has(name),
  )
  expect(open).toEqual([])
})

function namesIn(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const own = 'properties' in schema ? Object.keys(schema.properties ?? {}) : []
  return own.concat(...Object.values(schema).map(namesIn))
}
