// Canaries: secrets with a name of their own, looked for afterwards in every place where a secret must not be.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startAgent } from '@restic-manager/agent/testing'
import { newId } from '@restic-manager/contract/ids'
import { hasEnded } from '@restic-manager/contract/job-ended'
import { startServer } from '@restic-manager/server/testing'
import { findSecrets, type Secret } from '@restic-manager/testkit/canaries'
import { makeFiles } from '@restic-manager/testkit/files'
import { lightenRepository } from '@restic-manager/testkit/light-repository'
import { findTool } from '@restic-manager/testkit/restic'
import { restServer } from '@restic-manager/testkit/rest-server'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { ensureRestic } from '../../../../scripts/restic.mjs'
import { dumpTables, readBackup, readState, watchCommandLines } from './canary-places.ts'

const tool = await findTool('rest-server')

test.skipIf('missing' in tool || process.platform !== 'linux')(
  'the secrets of a repository stand in no table, backup, log, spool, command line, event or error',
  async () => {
    const restic = await ensureRestic()
    const userName = 'noor'
    const secret = `canary%40/s3:${randomBytes(9).toString('hex')}`
    const password = `canary "p%4z" ${randomBytes(9).toString('hex')}`
    const adminSecret = `canary+ädmin:${randomBytes(9).toString('hex')}`
    const secrets: Secret[] = [
      { name: 'the everyday credential', value: secret },
      { name: 'the admin credential', value: adminSecret },
      { name: 'the password', value: password },
    ]

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
    const run = async (repositoryId: string, kind: 'probe' | 'init' | 'backup' | 'unlock' | 'prune') => {
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
    const create = async (name: string, url: string, credential: string, more = {}) => {
      const { repositoryId } = await server.api.repositories.create.mutate({
        requestId: newId(),
        name,
        url,
        username: userName,
        ...{ credential, password, hostIds: [agent.hostId], ...more },
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
    // With the admin credential, which the store does not know.
    const upkeep = { adminCredential: adminSecret, maintenanceHostId: agent.hostId, acceptsRisk: true }
    const kept = await create('kept', rest.url('r', { credentials: false }), secret, upkeep)
    expect((await run(kept, 'prune')).reason).toBe('backend_auth')
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

    const places = {
      tables: await dumpTables(server),
      'the backup': await readBackup(server),
      'server log': server.log(),
      'agent log': agent.output(),
      'the state of the agent': readState(agent.stateDir, { but: ['config.json'] }),
      'command lines': commandLines.all(),
      'events and answers': JSON.stringify(said),
    }
    // Each place was really looked at: it holds what it should.
    for (const place of ['tables', 'the backup', 'agent log', 'the state of the agent'] as const)
      expect(places[place], place).toContain(agent.hostId)
    expect(places['server log']).not.toBe('')
    expect(places['command lines']).toContain('--files-from-raw')
    expect(places['events and answers']).toContain('rm-job=')
    for (const [place, text] of Object.entries(places))
      expect({ place, found: findSecrets(text, secrets) }).toEqual({ place, found: [] })
    // Where the secrets are meant to be the search finds them.
    expect(findSecrets(readState(agent.stateDir, { but: [] }), secrets)).toEqual([
      'the everyday credential',
      'the password',
    ])
    await rm(folder, { recursive: true })
  },
)
