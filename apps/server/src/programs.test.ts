// What the two programs promise on the command line, from --help to SIGTERM, run as real processes.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { nodeEnvironment } from '@restic-manager/testkit/node-environment'
import { until } from '@restic-manager/testkit/until'
import { testProgram } from '../../../scripts/test-programs.ts'
import { urlOfRunning } from './db/embedded.ts'
import { connect } from './db/open.ts'
import { startServer } from './testing.ts'

type Environment = Record<string, string>
let folder: string
let passwordFile: string
/** For the tests that mind no other: making a database takes long. */
let settled: { RM_DATA_DIR: string }
let files: { main: string; admin: string }
const children: ChildProcess[] = []

beforeAll(async () => {
  folder = await mkdtemp('/tmp/rm-programs-')
  // The database's user has to pass through, or the database is put aside and outlives the folder.
  await chmod(folder, 0o711)
  passwordFile = join(folder, 'password')
  settled = { RM_DATA_DIR: join(folder, 'settled') }
  await writeFile(passwordFile, '0123456789\n')
  files = { main: await testProgram('server'), admin: await testProgram('admin') }
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function begin(program: 'main' | 'admin', args: string[], env: Environment) {
  const child = spawn(process.execPath, [files[program], ...args], {
    env: {
      ...nodeEnvironment,
      ...{ RM_DATA_DIR: join(folder, 'unused'), PORT: '0', ...env },
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', text => (said.out += text))
  child.stderr.setEncoding('utf8').on('data', text => (said.err += text))
  return { child, said }
}

async function run(program: 'main' | 'admin', args: string[], env: Environment = {}) {
  const { child, said } = begin(program, args, env)
  const [code] = (await once(child, 'close')) as [number]
  return { code, ...said }
}

async function beginServer(env: Environment) {
  const server = begin('main', [], env)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  createInterface({ input: server.child.stdout }).on('line', line => {
    const url = /^ready (\S+)$/.exec(line)?.[1]
    if (url !== undefined) resolve(url)
  })
  server.child.once('exit', code => reject(new Error(`ended with ${code}: ${server.said.err}`)))
  return { ...server, url: await promise }
}

describe('settings', () => {
  test('--help lists every variable and --version the version, and neither starts anything', async () => {
    const [help, version] = await Promise.all([run('main', ['--help']), run('main', ['--version'])])
    expect(help.code).toBe(0)
    for (const name of [
      'PORT',
      'DATABASE_URL',
      'DATABASE_DIRECT_URL',
      'RM_SECRET_KEY_FILE',
      'RM_PUBLIC_URL',
      'RM_AGENT_PACKAGE_URL',
    ])
      expect(help.out).toContain(name)
    expect(version.out).toMatch(/^\d+\.\d+\.\d+\n$/)
    await expect(stat(join(folder, 'unused'))).rejects.toThrow('ENOENT')
  })

  test('a bad value is named with what is accepted, and nothing is started or given away', async () => {
    const bad = await run('main', [], { PORT: 'eighty' })
    expect(bad).toMatchObject({ code: 2, out: '' })
    expect(bad.err).toBe('PORT is "eighty". Accepted: a port number from 0 (any free one) to 65535.\n')
    const secret = await run('main', [], { DATABASE_URL: 'postgres://u:geheim@db.example.org' })
    expect(secret.code).toBe(2)
    expect(secret.err).toContain('DATABASE_URL')
    expect(secret.err).not.toContain('geheim')
    expect((await run('main', ['--port', '1'])).code).toBe(2)
    await expect(stat(join(folder, 'unused'))).rejects.toThrow('ENOENT')
  })

  test('a port that is taken is told in a line, and the database does not stay behind', async () => {
    await using other = await startServer()
    const taken = await run('main', [], { ...settled, PORT: String(other.port) })
    expect(taken.code).toBe(1)
    expect(taken.err).toMatch(/PORT: \d+ on 127\.0\.0\.1 is in use/)
    expect(await urlOfRunning(settled.RM_DATA_DIR)).toBeUndefined()
  })
})

test('from the first start to the last: link, ready, admin commands on the running server, SIGTERM, and all is kept', async () => {
  const env = { RM_DATA_DIR: join(folder, 'life') }
  const first = await beginServer(env)
  expect(first.said.out).toMatch(
    /^set-up link: http:\/\/127\.0\.0\.1:\d+\/setup#[\w-]{32}\nready http:\/\/127\.0\.0\.1:\d+\n$/,
  )

  const operator = [
    'create-operator',
    '--email',
    'a@example.org',
    '--role',
    'admin',
    '--password-file',
    passwordFile,
  ]
  expect((await run('admin', operator, env)).code).toBe(0)
  expect((await run('admin', operator, env)).code).toBe(0)
  const asViewer = await run('admin', operator.with(4, 'viewer'), env)
  expect(asViewer).toMatchObject({ code: 1, out: '' })
  const key = await run('admin', ['create-api-key', '--operator', 'a@example.org', '--name', 'test'], env)
  expect(key.out).toMatch(/^rmk_[\w-]{43}\n$/)
  const authorization = `Bearer ${key.out.trim()}`
  expect((await fetch(`${first.url}/trpc/me.get`, { headers: { authorization } })).status).toBe(200)

  first.child.kill('SIGTERM')
  expect(await once(first.child, 'exit')).toEqual([0, null])
  expect(await urlOfRunning(env.RM_DATA_DIR)).toBeUndefined()

  const token = await run('admin', ['create-enrolment', '--tags', 'a,b'], env)
  expect(token.out).toMatch(/^rmj_[\w-]{43}\n$/)
  expect(await urlOfRunning(env.RM_DATA_DIR)).toBeUndefined()

  const second = await beginServer(env)
  expect(second.said.out).not.toContain('set-up link')
  expect((await fetch(`${second.url}/trpc/me.get`, { headers: { authorization } })).status).toBe(200)
})

test('admin commands that cannot be done say one sentence and end with another code', async () => {
  const cases: [string[], number, string][] = [
    [['dance'], 2, 'There is no command dance'],
    [['create-enrolment', '--uses', '0'], 2, '--uses'],
    [['create-enrolment', '--colour', 'red'], 2, 'colour'],
    [
      ['create-operator', '--email', 'x', '--role', 'admin', '--password-file', passwordFile],
      1,
      'not an e-mail',
    ],
    [
      ['create-operator', '--email', 'x@example.org', '--role', 'king', '--password-file', passwordFile],
      2,
      '--role',
    ],
    [
      ['create-operator', '--email', 'x@example.org', '--role', 'admin', '--password-file', '/none'],
      2,
      '/none',
    ],
  ]
  await Promise.all(
    cases.map(async ([args, code, words]) => {
      const ended = await run('admin', args, settled)
      expect(ended, args.join(' ')).toMatchObject({ code, out: '' })
      expect(ended.err).toContain(words)
      expect(ended.err.trim().split('\n')).toHaveLength(1)
    }),
  )
  const unknown = await run(
    'admin',
    ['create-api-key', '--operator', 'no@example.org', '--name', 'x'],
    settled,
  )
  expect(unknown).toMatchObject({ code: 1, err: 'There is no operator with the e-mail no@example.org.\n' })
})

test('a database restart ends no process: not ready while it is away, and all is well within ten seconds (row 15)', async () => {
  const server = await beginServer(settled)
  const databaseUrl = (await urlOfRunning(settled.RM_DATA_DIR)) ?? ''
  const sql = connect(databaseUrl, { max: 1 })
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()`
  const [postmaster] = await sql`select pg_read_file('postmaster.pid') as text`
  process.kill(Number(String(postmaster?.['text']).split('\n')[0]), 'SIGQUIT')
  await sql.end({ timeout: 1 })

  const ready = async () => (await fetch(`${server.url}/readyz`)).status
  await until(ready, status => status === 503)
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
  await until(ready, status => status === 200, { timeoutMs: 10_000 })
  expect((await fetch(`${server.url}/auth/setup`)).status).toBe(200)
  expect(server.child.exitCode).toBeNull()
  expect(server.said.err).not.toContain('nobody caught')
})
