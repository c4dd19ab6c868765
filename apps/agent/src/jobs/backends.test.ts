// The jobs on every kind of storage that can be had here: SFTP, S3, rclone and an append-only REST server.
import { makeFiles, readTree } from '@restic-manager/testkit/files'
import { lightenRepository } from '@restic-manager/testkit/light-repository'
import { restServer } from '@restic-manager/testkit/rest-server'
import { currentRestic, findTool } from '@restic-manager/testkit/restic'
import { probeOpenssl, s3Server } from '@restic-manager/testkit/s3-server'
import { complaintAboutSsh, sshServer } from '@restic-manager/testkit/ssh-server'
import { startTcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { until } from '@restic-manager/testkit/until'
import { webdavServer } from '@restic-manager/testkit/webdav-server'
import type { RepositoryAccess } from '@restic-manager/contract/repository'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { jobBench, type JobBench } from '../testing-jobs.ts'
import { runJob } from './run.ts'

const SLOW = 180_000
const sshd = await findTool('sshd')
const noSsh = 'path' in sshd ? await complaintAboutSsh(sshd.path) : sshd.missing
const rclone = await findTool('rclone')
const rest = await findTool('rest-server')
const openssl = await probeOpenssl()
const pathOf = (tool: { path: string } | { missing: string }) => ('path' in tool ? tool.path : '')
const missingOf = (tool: { path: string } | { missing: string }) =>
  'path' in tool ? undefined : tool.missing

/** In the title of tests that are skipped: why. */
const but = (missing: string | undefined) => (missing === undefined ? '' : ` (${missing})`)

/** Test, initialise, back up twice, restore: what an operator does on the first day. `at` is the repository's folder here. */
async function firstDay(bench: JobBench, at?: string) {
  const missing = await runJob('probe', bench.context, {})
  expect(missing).toMatchObject({ status: 'failed', reason: 'repository_missing' })
  expect(await runJob('init', bench.context, {})).toMatchObject({ status: 'succeeded' })
  if (at !== undefined) lightenRepository(at, bench.plain.password)
  expect(await runJob('probe', bench.context, {})).toMatchObject({ status: 'succeeded' })
  makeFiles(bench.source, { files: 20, bytes: 300_000 })
  for (const _ of [1, 2]) {
    const saved = await runJob('backup', bench.context, { paths: [bench.source] })
    expect(saved).toMatchObject({ status: 'succeeded', warnings: [] })
  }
  const restored = join(bench.folder, 'restored')
  await bench.plain.restore('latest', restored)
  expect(readTree(join(restored, bench.source))).toEqual(readTree(bench.source))
  expect(await bench.plain.locks()).toEqual([])
}

/** The same bench with other access. A new restic would try for long what cannot succeed. */
const withAccess = (bench: JobBench, access: Partial<RepositoryAccess>) => ({
  ...bench.context,
  timing: { ...bench.context.timing, probeDeadline: 10_000 },
  repository: { ...bench.context.repository, ...access },
})

await currentRestic(restic => {
  describe.skipIf(noSsh !== undefined).concurrent(`on an SFTP server${but(noSsh)}`, () => {
    const path = pathOf(sshd)

    test(
      'everything works with the SSH key of the host',
      async () => {
        await using server = await sshServer({ path })
        using bench = jobBench(restic, { access: { url: server.url('r') }, programs: server.programs })
        await firstDay(bench, join(server.dir, 'r'))
      },
      SLOW,
    )

    test(
      'a server whose key is unknown, or has changed, is told as that, with what to do',
      async () => {
        await using server = await sshServer({ path })
        using bench = jobBench(restic, { access: { url: server.url('r') }, programs: server.programs })
        for (const key of ['none', 'changed'] as const) {
          await server.know(key)
          // On a busy machine restic may end before it has passed on what ssh said: the next try tells.
          const outcome = await until(
            () => runJob('probe', bench.context, {}),
            ({ reason }) => reason === 'host_key_unknown',
          )
          expect(outcome.status).toBe('failed')
          expect(outcome.error).toMatch(
            /connect once by hand .* restic said: .*(Host key|HOST IDENTIFICATION)/,
          )
        }
      },
      SLOW,
    )

    test(
      'a key that is not let in, and a server that does not listen, are told from each other',
      async () => {
        await using server = await sshServer({ path })
        await server.letIn(false)
        using bench = jobBench(restic, { access: { url: server.url('r') }, programs: server.programs })
        const refused = await runJob('probe', bench.context, {})
        expect(refused).toMatchObject({
          status: 'failed',
          reason: 'backend_auth',
          error: expect.stringContaining('Permission denied (publickey)'),
        })
        await using link = await startTcpProxy({ port: server.port })
        await link.set('refuse')
        const url = server.url('r').replace(`:${server.port}/`, `:${link.port}/`)
        const away = await runJob('probe', withAccess(bench, { url }), {})
        expect(away).toMatchObject({
          status: 'failed',
          reason: 'unreachable',
          error: expect.stringContaining('Connection refused'),
        })
      },
      SLOW,
    )
  })

  describe
    .skipIf('missing' in openssl)
    .concurrent(`on an S3 server with its own authority${but(missingOf(openssl))}`, () => {
      test(
        'everything works with the key pair and the file of its authority',
        async () => {
          await using server = await s3Server()
          using bench = jobBench(restic, {
            access: {
              url: server.url('r'),
              username: server.accessKeyId,
              credential: server.secretAccessKey,
              environment: { AWS_DEFAULT_REGION: 'us-east-1', RESTIC_CACERT: server.authorities },
            },
          })
          await firstDay(bench)

          const probe = (access: Partial<RepositoryAccess>) => runJob('probe', withAccess(bench, access), {})
          const [wrong, elsewhere, away, distrusted] = await Promise.all([
            probe({ username: 'NOBODY', credential: 'canary-wrong' }),
            probe({ url: server.missingBucketUrl('r') }),
            probe({ url: 's3:https://127.0.0.1:1/backups/r' }),
            probe({ environment: {} }),
          ])
          expect(wrong).toMatchObject({ status: 'failed', reason: 'backend_auth' })
          expect(JSON.stringify([wrong, bench.said()])).not.toContain('canary')
          expect(elsewhere).toMatchObject({ status: 'failed', reason: 'repository_missing' })
          expect(away).toMatchObject({ status: 'failed', reason: 'unreachable' })
          expect(distrusted).toMatchObject({
            status: 'failed',
            reason: 'unreachable',
            error: expect.stringMatching(/x509|certificate/),
          })
        },
        SLOW,
      )
    })

  describe.skipIf('missing' in rclone).concurrent(`through rclone${but(missingOf(rclone))}`, () => {
    const path = pathOf(rclone)
    const programs = dirname(path)

    test(
      'everything works on a folder',
      async () => {
        using far = jobBench(restic)
        using bench = jobBench(restic, {
          programs,
          access: { url: `rclone:disk:${far.folder}/r`, credential: 'type = local' },
        })
        await firstDay(bench, join(far.folder, 'r'))
        expect(readdirSync(join(far.folder, 'r'))).toContain('snapshots')
      },
      SLOW,
    )

    test(
      'everything works on a server that asks for a password, a wrong one is refused, and none is seen',
      async () => {
        await using server = await webdavServer({ path, password: 'canary-dav' })
        const credential = await server.section()
        using bench = jobBench(restic, { programs, access: { url: 'rclone:vault:r', credential } })
        await firstDay(bench, join(server.dir, 'r'))
        expect(readdirSync(server.dir)).toEqual(['r'])

        const stranger = withAccess(bench, { credential: await server.section('canary-wrong') })
        const refused = await runJob('probe', stranger, {})
        expect(refused).toMatchObject({ status: 'failed', reason: 'backend_auth' })
        const obscured = /pass = (\S+)/.exec(credential)?.[1] as string
        expect(JSON.stringify([refused, bench.said()])).not.toMatch(/canary-(dav|wrong)/)
        expect(bench.said()).not.toContain(obscured)
      },
      SLOW,
    )

    test(
      'a remote that is not there, a server that is away and a host without rclone are unreachable, and say why',
      async () => {
        using bench = jobBench(restic, {
          programs,
          access: {
            url: 'rclone:nowhere:r',
            credential: 'type = webdav\nurl = http://127.0.0.1:1\nvendor = other',
          },
          timing: { probeDeadline: 20_000 },
        })
        const bare = { ...bench.context, folders: { ...bench.context.folders, programs: bench.folder } }
        const [away, unnamed, without] = await Promise.all([
          runJob('probe', bench.context, {}),
          runJob('probe', withAccess(bench, { credential: 'type = alias\nremote = /' }), {}),
          runJob('probe', bare, {}),
        ])
        expect(away).toMatchObject({ status: 'failed', reason: 'unreachable' })
        expect(unnamed).toMatchObject({
          status: 'failed',
          reason: 'unreachable',
          error: expect.stringContaining("didn't find section in config file"),
        })
        expect(without).toMatchObject({
          status: 'failed',
          reason: 'unreachable',
          error: expect.stringContaining('executable file not found'),
        })
      },
      SLOW,
    )
  })

  describe
    .skipIf('missing' in rest)
    .concurrent(`on a REST server that only appends${but(missingOf(rest))}`, () => {
      test(
        'backups work and leave no lock',
        async () => {
          const user = { name: 'agent1', password: 'canary' }
          await using server = await restServer({ path: pathOf(rest), user, appendOnly: true })
          using bench = jobBench(restic, {
            access: {
              url: server.url('r', { credentials: false }),
              username: user.name,
              credential: user.password,
              mayDelete: false,
            },
          })
          await firstDay(bench, join(server.dir, 'r'))
        },
        SLOW,
      )
    })
})
