// The jobs over a network: a real REST server that refuses, fills up, slows down or goes away.
import { makeFiles } from '@restic-manager/testkit/files'
import { restServer } from '@restic-manager/testkit/rest-server'
import { eachRestic, findTool } from '@restic-manager/testkit/restic'
import { startTcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { until } from '@restic-manager/testkit/until'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { jobBench, type JobBench } from '../testing-jobs.ts'
import { runJob } from './run.ts'

const SLOW = 180_000
const user = { name: 'agent1', password: 'canary %2F&st0re' }
const access = { username: user.name, credential: user.password }
const tool = await findTool('rest-server')
const path = 'path' in tool ? tool.path : ''

/** A backup over a link slow enough to be met while it runs. `act` is called when restic holds its lock. */
async function backupMet(bench: JobBench, act: (pid: number) => void) {
  makeFiles(bench.source, { files: 8, bytes: 24_000_000 })
  const outcome = runJob('backup', bench.context, { paths: [bench.source] })
  await until(() => bench.progress.some(({ bytesDone }) => bytesDone > 0), undefined, { timeoutMs: 60_000 })
  await until(
    () => bench.plain.locks(),
    locks => locks.length === 1,
  )
  act(bench.starts[0]?.pid as number)
  return { outcome: await outcome, locks: await bench.plain.locks() }
}

function expectNoSecretIn(bench: JobBench, outcome: unknown) {
  for (const text of [bench.said(), JSON.stringify(outcome)]) {
    expect(text).not.toContain('canary')
    expect(text).not.toContain(encodeURIComponent(user.password))
  }
}

await eachRestic(restic => {
  describe.skipIf('missing' in tool)(
    `on a REST server ${'missing' in tool ? `(${tool.missing})` : ''}`,
    () => {
      test.concurrent(
        'credentials that are right let the whole work through, wrong ones are told from a wrong password',
        async () => {
          await using server = await restServer({ path, user })
          const url = server.url('r', { credentials: false })
          using bench = jobBench(restic, { access: { ...access, url } })
          expect(await runJob('init', bench.context, {})).toMatchObject({ status: 'succeeded' })
          makeFiles(bench.source, { files: 3, bytes: 3_000 })
          const saved = await runJob('backup', bench.context, { paths: [bench.source] })
          expect(saved).toMatchObject({ status: 'succeeded', warnings: [] })
          expect(bench.starts.at(-1)?.command).toContain(`restic -r ${url} backup`)

          const stranger = {
            ...bench.context,
            repository: { ...bench.context.repository, credential: 'canary % wrong' },
          }
          const refused = await runJob('probe', stranger, {})
          expect(refused).toMatchObject({ status: 'failed', reason: 'backend_auth' })
          const elsewhere = {
            ...bench.context,
            repository: { ...bench.context.repository, url: server.url('none', { credentials: false }) },
          }
          const missing = await runJob('probe', elsewhere, {})
          expect(missing).toMatchObject({ status: 'failed', reason: 'repository_missing' })
          expectNoSecretIn(bench, [saved, refused, missing])
        },
        SLOW,
      )

      test.concurrent(
        'a server that does not listen, or swallows everything, is unreachable within the deadline',
        async () => {
          await using server = await restServer({ path })
          await using link = await startTcpProxy({ port: server.port })
          using bench = jobBench(restic, {
            access: { ...access, url: server.url('r', { port: link.port }) },
            timing: { probeDeadline: 3_000 },
          })
          await link.set('refuse')
          const refused = await runJob('probe', bench.context, {})
          expect(refused).toMatchObject({
            status: 'failed',
            reason: 'unreachable',
            error: expect.stringContaining('connection refused'),
          })
          const backup = await runJob('backup', bench.context, { paths: [bench.source] })
          expect(backup).toMatchObject({ status: 'failed', reason: 'unreachable' })

          await link.set('blackhole')
          const silent = await runJob('probe', bench.context, {})
          expect(silent).toMatchObject({
            status: 'failed',
            reason: 'unreachable',
            error: expect.stringMatching(/No answer came within 3 seconds/),
          })
          expectNoSecretIn(bench, [refused, backup, silent])
        },
        SLOW,
      )

      test.concurrent(
        'a server that went away since the last backup does not hold the next one for a quarter of an hour',
        async () => {
          await using server = await restServer({ path })
          await using link = await startTcpProxy({ port: server.port })
          using bench = jobBench(restic, {
            access: { ...access, url: server.url('r', { port: link.port }) },
            timing: { probeDeadline: 3_000 },
          })
          bench.makeRepository(join(server.dir, 'r'))
          await runJob('probe', bench.context, {})
          await link.set('refuse')
          link.dropAll()
          expect(await runJob('backup', bench.context, { paths: [bench.source] })).toMatchObject({
            status: 'failed',
            reason: 'unreachable',
          })
        },
        SLOW,
      )

      test.concurrent(
        'a cancelled backup ends as cancelled and leaves no lock, and no secret is in what it ran',
        async () => {
          await using server = await restServer({ path, user })
          await using link = await startTcpProxy({ port: server.port })
          using bench = jobBench(restic, {
            access: { ...access, url: server.url('r', { credentials: false, port: link.port }) },
          })
          bench.makeRepository(join(server.dir, 'r'))
          await link.set({ bytesPerSecond: 1_000_000 })
          bench.starts.length = 0
          let commandLine = ''
          const { outcome, locks } = await backupMet(bench, pid => {
            commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
            bench.cancel.abort()
          })
          expect(outcome).toMatchObject({ status: 'cancelled', reason: 'cancelled_by_operator' })
          expect(outcome).not.toHaveProperty('snapshotId')
          expect(locks).toEqual([])
          expect(await bench.plain.snapshots()).toEqual([])
          expect(commandLine).toMatch(/^\S*restic\0/)
          expect(commandLine).not.toContain('canary')
          expectNoSecretIn(bench, outcome)
        },
        SLOW,
      )

      test.concurrent(
        'a restic that is killed fails the job as killed, and the lock it left is removed (row 21)',
        async () => {
          await using server = await restServer({ path })
          await using link = await startTcpProxy({ port: server.port })
          using bench = jobBench(restic, { access: { ...access, url: server.url('r', { port: link.port }) } })
          bench.makeRepository(join(server.dir, 'r'))
          await link.set({ bytesPerSecond: 1_000_000 })
          bench.starts.length = 0
          const { outcome, locks } = await backupMet(bench, pid => process.kill(pid, 'SIGKILL'))
          expect(outcome).toMatchObject({
            status: 'failed',
            reason: 'killed',
            signal: 'SIGKILL',
            warnings: [],
          })
          expect(locks).toEqual([])
        },
        SLOW,
      )

      test.concurrent(
        'an agent that stops ends its backup as failed for that reason',
        async () => {
          await using server = await restServer({ path })
          await using link = await startTcpProxy({ port: server.port })
          using bench = jobBench(restic, { access: { ...access, url: server.url('r', { port: link.port }) } })
          bench.makeRepository(join(server.dir, 'r'))
          await link.set({ bytesPerSecond: 1_000_000 })
          bench.starts.length = 0
          const { outcome, locks } = await backupMet(bench, () => bench.cancel.abort('agent_stopping'))
          expect(outcome).toMatchObject({ status: 'failed', reason: 'agent_stopping' })
          expect(locks).toEqual([])
        },
        SLOW,
      )

      test.concurrent(
        'a short outage is waited for, shown, and told as a warning',
        async () => {
          await using server = await restServer({ path })
          await using link = await startTcpProxy({ port: server.port })
          using bench = jobBench(restic, { access: { ...access, url: server.url('r', { port: link.port }) } })
          bench.makeRepository(join(server.dir, 'r'))
          makeFiles(bench.source, { files: 8, bytes: 48_000_000 })
          await link.set({ bytesPerSecond: 4_000_000 })
          const outcome = runJob('backup', bench.context, { paths: [bench.source] })
          await until(() => bench.progress.some(({ bytesDone }) => bytesDone > 0), undefined, {
            timeoutMs: 60_000,
          })
          await link.set('reset')
          await until(() => bench.progress.some(({ phase }) => phase === 'waiting for backend'), undefined, {
            timeoutMs: 60_000,
          })
          await link.set('pass')
          expect(await outcome).toMatchObject({
            status: 'succeeded',
            warnings: [{ code: 'storage_retried' }],
          })
        },
        SLOW,
      )

      test.concurrent(
        'a server that is full is told as full, without waiting for restic to give up by itself',
        async () => {
          await using server = await restServer({ path, maxSizeBytes: 2_000_000 })
          using bench = jobBench(restic, {
            access: { ...access, url: server.url('r') },
            timing: { probeDeadline: 3_000 },
          })
          bench.makeRepository(join(server.dir, 'r'))
          makeFiles(bench.source, { files: 8, bytes: 40_000_000 })
          const outcome = await runJob('backup', bench.context, { paths: [bench.source] })
          expect(outcome).toMatchObject({
            status: 'failed',
            reason: 'storage_full',
            error: expect.stringContaining('507'),
          })
          expect(await bench.plain.snapshots()).toEqual([])
          expect(await bench.plain.locks()).toEqual([])
        },
        SLOW,
      )
    },
  )
})
