// The audit log as it is read promises: the newest first without a gap, only what concerns one's own hosts, and files that are safe to open.
import { deserialize } from 'superjson'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AuditExport, AuditPage } from '@restic-manager/contract/audit'
import { newId } from '@restic-manager/contract/ids'
import type { Principal } from '../context.ts'
import { hostActor, writeAudit } from '../fleet/audit.ts'
import { updateHost } from '../fleet/hosts.ts'
import { makeHost, repositoryOf, type TestHost } from '../testing-fleet.ts'
import { type OperatorServer, operatorServer, signedIn } from '../testing-routers.ts'

let server: OperatorServer
let blue: TestHost
let green: TestHost
beforeAll(async () => {
  server = await operatorServer()
  const { db, seal } = server.database
  blue = await makeHost(db, seal, 'blue-1')
  green = await makeHost(db, seal, 'green-1')
  await updateHost(db, { hostId: blue.hostId, tags: ['blue'] })
  for (let n = 0; n < 5; n += 1)
    await server.call('admin', 'mutation', 'hosts.update', { hostId: blue.hostId, name: `blue ${n}` })
  await server.call('admin', 'mutation', 'hosts.update', { hostId: green.hostId, name: 'green 1' })
  await server.call('admin', 'mutation', 'settings.update', { logDays: 9 })
})
afterAll(() => server.close())

async function read<T>(path: string, input: object, caller: Principal | 'admin' = 'admin'): Promise<T> {
  const { status, said, message } = await server.call(caller, 'query', path, input)
  if (status !== 200) throw new Error(message)
  return deserialize((JSON.parse(said) as { result: { data: never } }).result.data)
}
const list = (input: object, caller?: Principal) => read<AuditPage>('audit.list', input, caller)

test('pages follow one another without a gap, the newest first', async () => {
  const all = await list({})
  const ids: string[] = []
  let cursor: string | null = null
  do {
    const page: AuditPage = await list({ limit: 2, ...(cursor !== null && { cursor }) })
    ids.push(...page.rows.map(row => row.id))
    cursor = page.nextCursor
  } while (cursor !== null)
  expect(ids).toEqual(all.rows.map(row => row.id))
  expect(ids.map(Number)).toEqual(ids.map((_, index) => ids.length - index))
})

test('each filter lets through what it names, and nothing else', async () => {
  const actions = async (input: object) => [...new Set((await list(input)).rows.map(row => row.action))]
  expect(await actions({ action: 'settings.update' })).toEqual(['settings.update'])
  expect(await actions({ action: 'hosts.' })).toEqual(['hosts.update'])
  expect(await actions({ action: 'hosts' })).toEqual([])
  expect((await list({ hostId: blue.hostId, action: 'hosts.' })).rows).toHaveLength(5)
  expect((await list({ targetId: green.hostId, action: 'hosts.' })).rows).toHaveLength(1)
  expect(await actions({ actor: 'GREEN' })).toEqual(['enrolment redeemed'])
  expect(await actions({ actor: '%' })).toEqual([])
  const [newest] = (await list({ limit: 1 })).rows
  expect((await list({ from: newest?.at })).rows[0]?.id).toBe(newest?.id)
  expect((await list({ until: new Date(0) })).rows).toEqual([])
})

test('an admin of some hosts sees what is about these, and nothing of the others or of the installation', async () => {
  const some = await signedIn(server.database.db, 'admin', ['blue'])
  const { rows } = await list({}, some)
  expect(new Set(rows.flatMap(row => row.hostIds))).toEqual(new Set([blue.hostId]))
  expect(rows.length).toBeGreaterThanOrEqual(6)
  const file = await read<AuditExport>('audit.export', { format: 'ndjson' }, some)
  expect(file.text).not.toContain(green.hostId)
  expect(await server.call('operator', 'query', 'audit.list', {})).toMatchObject({ status: 403 })
})

test('who shares a repository with hosts that an admin does not see is not told in its rows', async () => {
  const some = await signedIn(server.database.db, 'admin', ['blue'])
  const { requestId: _, ...shared } = repositoryOf({ hostIds: [blue.hostId, green.hostId] })
  const { said } = await server.call('admin', 'mutation', 'repositories.create', {
    ...shared,
    requestId: newId(),
  })
  const { repositoryId } = (JSON.parse(said) as { result: { data: { json: { repositoryId: string } } } })
    .result.data.json
  const asked = { targetId: repositoryId }
  const [own] = (await list(asked, some)).rows
  expect(own).toMatchObject({ hostIds: [blue.hostId], after: { hosts: ['blue 4'] } })
  const file = await read<AuditExport>('audit.export', { format: 'csv', ...asked }, some)
  for (const text of [JSON.stringify(own), file.text]) {
    expect(text).not.toContain(green.hostId)
    expect(text).not.toContain('green 1')
  }
  const [whole] = (await list(asked)).rows
  expect(whole).toMatchObject({ after: { hosts: ['blue 4', 'green 1'] } })
})

test('a file has a line for each row, and no cell is a formula', async () => {
  const evil = { id: blue.hostId, name: '=cmd|" /C calc"!A0' }
  await server.database.db.transaction(tx =>
    writeAudit(tx, { actor: hostActor(evil), action: 'tried', after: { text: 'two\nlines, "quoted"' } }),
  )
  const all = await list({})
  const { text, nextCursor } = await read<AuditExport>('audit.export', { format: 'ndjson' })
  expect(nextCursor).toBeNull()
  const lines = text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as { number: number; hash: string })
  expect(lines.map(line => String(line.number))).toEqual(all.rows.map(row => row.id))
  expect(lines[0]?.hash).toMatch(/^[0-9a-f]{64}$/)
  const csv = await read<AuditExport>('audit.export', { format: 'csv', action: 'tried' })
  expect(csv.text.split('\n')[0]).toMatch(/^id,at,actorKind,/)
  expect(csv.text).toContain(`"'=cmd|"" /C calc""!A0"`)
  expect(csv.text.trimEnd().split('\n')).toHaveLength(2)
})
