// Canaries: secrets with a name of their own, looked for afterwards in every place where a secret must not be.
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startAgent } from '@restic-manager/agent/testing'
import { newId } from '@restic-manager/contract/ids'
import { hasEnded } from '@restic-manager/contract/job'
import { startServer, type TestServer } from '@restic-manager/server/testing'
import { makeFiles } from '@restic-manager/testkit/files'
import { lightenRepository } from '@restic-manager/testkit/light-repository'
import { findTool } from '@restic-manager/testkit/restic'
import { restServer } from '@restic-manager/testkit/rest-server'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { ensureRestic } from '../../../../scripts/restic.mjs'

/** Every form in which a secret could slip out: as it is, as in an address, as in a header, as bytes in a dump. */
function formsOf(secret: string, userName: string) {
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    Buffer.from(`${userName}:${secret}`).toString('base64').replace(/=+$/, ''),
    Buffer.from(secret).toString('hex'),
  ]
}

const findIn = (text: string, needles: readonly string[]) => needles.filter(needle => text.includes(needle))

/** Keeps every command line and title of every process on the machine, for as long as it is not disposed of. */
function watchCommandLines() {
  const seen = new Set<string>()
  const look = () => {
    for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name)))
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
      } catch {
        // It ended between the two looks.
      }
  }
  const timer = setInterval(look, 20)
  return {
    all: () => [...seen].join('\n'),
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

/** Everything in every table, as text. */
async function dumpTables(server: TestServer) {
  const tables = await server.db.execute<{ name: string }>(
    `select quote_ident(tablename) as name from pg_tables where schemaname = 'public'`,
  )
  const rows = await Promise.all(
    tables.map(({ name }) => server.db.execute(`select row_to_json(t)::text as row from ${name} t`)),
  )
  return { tables: tables.length, text: JSON.stringify(rows) }
}

const tool = await findTool('rest-server')

test.skipIf('missing' in tool || process.platform !== 'linux')(
  'a repository password and a backend secret stand in no table, log, command line, event or error',
  async () => {
    const restic = await ensureRestic()
    const userName = 'noor'
    const secret = `canary%40/s3:${randomBytes(9).toString('hex')}`
    const password = `canary "p%4z" ${randomBytes(9).toString('hex')}`
    const needles = [...formsOf(secret, userName), ...formsOf(password, userName)]

    const folder = await mkdtemp(path.join(tmpdir(), 'rm-canary-'))
    makeFiles(folder, { files: 50, bytes: 2e6 })
    await using server = await startServer({ process: true, env: { RM_LOG_LEVEL: 'trace' } })
    await using agent = await startAgent(server, {
      process: true,
      restic: restic.path,
      logLevel: 'trace',
      timing: { probeDeadline: 8_000 },
    })
    using commandLines = watchCommandLines()
    const said: unknown[] = []
    const collect = {
      onData: (data: unknown) => said.push(data),
      onError: (error: unknown) => said.push(String(error)),
    }
    const changes = server.api.live.changes.subscribe(undefined, collect)

    /** Runs one job to its end while following and tailing it, and keeps everything the page would get of it. */
    const run = async (repositoryId: string, kind: 'probe' | 'init' | 'backup' | 'unlock') => {
      const on = { requestId: newId(), hostId: agent.hostId, repositoryId }
      const { jobId } = await server.api.jobs.run.mutate(
        kind === 'backup' ? { ...on, kind, spec: { paths: [folder] } } : { ...on, kind, spec: {} },
      )
      const follow = server.api.jobs.follow.subscribe({ jobId }, collect)
      const tail = server.api.jobs.tail.subscribe({ jobId }, collect)
      const job = await until(
        () => server.api.jobs.get.query({ jobId }),
        ({ status }) => hasEnded(status),
        {
          what: `the end of ${kind}`,
          timeoutMs: 90_000,
        },
      )
      said.push(job, await server.api.jobs.log.query({ jobId }))
      follow.unsubscribe()
      tail.unsubscribe()
      return job
    }
    const create = async (name: string, url: string, credential: string) => {
      const { repositoryId } = await server.api.repositories.create.mutate({
        requestId: newId(),
        name,
        url,
        username: userName,
        credential,
        password,
        hostIds: [agent.hostId],
      })
      return repositoryId
    }

    const rest = await restServer({
      path: 'path' in tool ? tool.path : '',
      user: { name: userName, password: secret },
    })
    const good = await create('good', rest.url('r', { credentials: false }), secret)
    const refused = await create('refused', rest.url('r', { credentials: false }), `${secret}x`)
    expect((await run(good, 'init')).status).toBe('succeeded')
    lightenRepository(path.join(rest.dir, 'r'), password)
    expect((await run(good, 'backup')).status).toBe('succeeded')
    expect((await run(refused, 'probe')).reason).toBe('backend_auth')
    expect((await run(good, 'unlock')).status).toBe('succeeded')
    await rest[Symbol.asyncDispose]()
    expect((await run(good, 'probe')).reason).toBe('unreachable')

    said.push(
      await server.api.hosts.list.query({}),
      await server.api.hosts.get.query({ hostId: agent.hostId }),
    )
    said.push(await server.api.repositories.list.query(), await server.api.jobs.list.query({}))
    changes.unsubscribe()
    const refusal = await server.api.repositories.create
      .mutate({
        requestId: newId(),
        name: 'good',
        url: 'rest:bad',
        username: userName,
        credential: secret,
        password,
        hostIds: [],
      })
      .catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(Error)
    said.push(String(refusal), JSON.stringify(refusal))

    const dump = await dumpTables(server)
    expect(dump.tables).toBeGreaterThan(10)
    const places = {
      tables: dump.text,
      'server log': server.log(),
      'agent log': agent.output(),
      'command lines': commandLines.all(),
      'events and answers': JSON.stringify(said),
    }
    // Each place was really looked at: it holds what it should.
    expect(places.tables).toContain(agent.hostId)
    expect(places['agent log']).toContain(agent.hostId)
    expect(places['command lines']).toContain('--files-from-raw')
    expect(places['events and answers']).toContain('rm-job=')
    for (const [place, text] of Object.entries(places))
      expect({ place, found: findIn(text, needles) }).toEqual({ place, found: [] })
    await rm(folder, { recursive: true })
  },
)
