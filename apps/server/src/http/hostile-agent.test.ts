// An enrolled agent that lies and shouts, at a server in a process of its own.
import { readFileSync } from 'node:fs'
import { newId } from '@restic-manager/contract/ids'
import { toInstant } from '@restic-manager/contract/scalars'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { joinAsAgent, type RawSocket } from '../testing-agent.ts'
import { helloOf } from '../testing-fleet.ts'
import { startServer } from '../testing.ts'

/** Calls and waits for the answer: its error's code, or `ok`. */
async function ask(raw: RawSocket, id: number, path: string, input: unknown): Promise<string> {
  raw.call(id, 'mutation', path, input)
  const frame = await until(() => raw.frames.find(each => each.id === id))
  return frame.error === undefined
    ? 'ok'
    : ((frame.error as { data?: { code?: string } }).data?.code ?? 'error')
}

const memoryOf = (pid: number | undefined) =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024

test.runIf(process.platform === 'linux')(
  'forged ids are refused and counted, giant and deep payloads are turned down, and neither the process nor its memory minds',
  async () => {
    // With little room for garbage, what grows is what is kept.
    const env = { NODE_OPTIONS: '--max-old-space-size=96' }
    await using server = await startServer({ process: true, env })
    const [victim, evil] = await Promise.all(
      [0, 1].map(async () => joinAsAgent(server.url, await server.createEnrolment())),
    )
    if (victim === undefined || evil === undefined) throw new Error('two machines were to join')
    const { repositoryId } = await server.api.repositories.create.mutate({
      requestId: newId(),
      name: 'main',
      url: '/srv/main',
      hostIds: [victim.hostId],
    })
    const { jobId } = await server.api.jobs.run.mutate({
      ...{ requestId: newId(), hostId: victim.hostId, repositoryId, kind: 'backup' },
      spec: { paths: ['/srv'] },
    })
    const now = toInstant(Date.now())
    const header = { jobId, kind: 'backup', repositoryId }
    const fact = { lane: 'rest', seq: 1, occurredAt: now }
    const end = { ...fact, ...header, status: 'failed', finishedAt: now, warnings: [], lastLogSeq: -1 }
    const raw = await evil.dial()
    expect(await ask(raw, 1, 'agent.hello', helloOf())).toBe('ok')

    const forged: [string, unknown][] = [
      ['command.result', { ...fact, lane: 'first', ...header, accepted: false }],
      ['job.started', { ...fact, ...header, startedAt: now, command: 'restic', resticVersion: '0.18.0' }],
      ['job.finished', end],
      ['log.stream', { jobId, firstSeq: 0, count: 1, startedAt: now, block: '0\to\tforged\n' }],
    ]
    for (const [at, [path, input]] of forged.entries())
      expect([path, await ask(raw, 10 + at, path, input)]).toEqual([path, 'NOT_FOUND'])
    expect(await server.statusOf(jobId)).toBe('queued')
    const [count] = await server.db.execute<{ n: number }>(
      `select foreign_id_count as n from hosts where id = '${evil.hostId}'`,
    )
    expect(count?.n).toBe(forged.length)

    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
    const before = memoryOf(server.pid())
    for (let round = 0; round < 60; round += 1) {
      const id = 100 + round
      const own = { ...end, jobId: newId(), seq: 2 + round }
      const input = JSON.stringify({ ...own, error: 'x'.repeat(900_000) })
      const payload =
        round % 2 === 0 ? input : JSON.stringify({ ...own, stats: { deep: 0 } }).replace(':0}', `:${deep}}`)
      raw.send(`{"id":${id},"method":"mutation","params":{"path":"job.finished","input":${payload}}}`)
      const { error } = await until(() => raw.frames.find(frame => frame.id === id))
      expect(error).toBeDefined()
    }
    expect(memoryOf(server.pid()) - before).toBeLessThan(150e6)
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
    expect(await ask(raw, 2, 'agent.heartbeat', { sentAt: now, spool: { facts: 0, logBytes: 0 } })).toBe('ok')
    expect(server.log()).not.toMatch(/nobody caught|unhandled/i)
    raw.socket.terminate()
  },
)
