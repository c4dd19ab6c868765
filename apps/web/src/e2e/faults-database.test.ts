// A database that goes away under a server, its host and an open page, and comes back; and one behind a pooler.
import { mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import { databaseUser, openDatabase, ownPostgres } from '@restic-manager/server/testing'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import { startPgBouncer } from '@restic-manager/testkit/pgbouncer'
import { findTool } from '@restic-manager/testkit/restic'
import { startTcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { until } from '@restic-manager/testkit/until'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { build, root } from '../../../../scripts/processes.ts'
import { checkInvariants, pathOf } from './invariants.ts'
import { openScene, type Scene } from './scene.ts'

const chromium = await probeChromium()
const pgBouncer = await findTool('pgbouncer')
/** Periods that are over several times while the database is away. */
const periods = {
  heartbeat: 500,
  offlineAfter: 2_000,
  lostAfter: 3_000,
  databaseWait: 1_000,
  databaseAnswer: 4_000,
}

/** The scene on the PostgreSQL at that address, with more of the server's settings. */
async function openSceneOn(url: string, serverEnv: Record<string, string>): Promise<Scene> {
  await using undo = new AsyncDisposableStack()
  const folder = await mkdtemp('/tmp/rm-fault-database-')
  undo.defer(() => rm(folder, { recursive: true, force: true }))
  const { db, close } = openDatabase(url, { max: 3 })
  undo.defer(close)
  const steps = [{ flood: { lines: 20, text: 'a line' } }, { wait: 'end' }, { summary: {} }]
  const scene = undo.use(
    await openScene({
      script: { runs: { backup: { steps } } },
      beside: { databaseUrl: url, db, secretKeyFile: path.join(folder, 'secret.key') },
      serverProcess: true,
      serverEnv,
    }),
  )
  const owned = undo.move()
  return { ...scene, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function signIn(page: Page, url: string, { server }: Scene) {
  const { email, password } = await server.createOperator()
  await page.goto(`${url}/sign-in?back=/hosts`)
  await page.getByLabel('E-mail').fill(email)
  await page.getByRole('textbox', { name: 'Password' }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Hosts' }).waitFor()
}

test.skipIf('missing' in chromium)(
  'while the database is away the host goes on, everybody stays connected and the page says how old it is; then all is told (row 16)',
  async () => {
    await build()
    await using own = await ownPostgres()
    await using scene = await openSceneOn(own.url, {
      RM_PAGE_DIR: path.join(root, 'apps/web/dist'),
      RM_TIMING: JSON.stringify(periods),
    })
    const { server, agent, restic } = scene
    await using pageLink = await startTcpProxy({ port: server.port })
    const url = `http://127.0.0.1:${pageLink.port}`
    await using browser = await launchChromium()
    const page = await newPage(browser)
    await signIn(page, url, scene)
    const jobId = await scene.run('backup')
    await restic.reached('end')
    await scene.reaches(jobId, 'running')
    await page.goto(`${url}/jobs/${jobId}`)
    const top = page.getByRole('banner')
    await top.getByText('Live').waitFor()

    const dials = scene.link.counts.connections
    const pid = server.pid()
    await own.stop()
    const banner = page.getByText(/^Data as of \d\d:\d\d: the database does not answer\.$/)
    await banner.waitFor()
    await top.getByText(/^not up to date, data as of/).waitFor()
    await expect(server.api.jobs.get.query({ jobId })).rejects.toMatchObject({
      data: { code: 'SERVICE_UNAVAILABLE', refusal: 'unavailable' },
    })
    const ready = await fetch(`${server.url}/readyz`)
    expect({ status: ready.status, ...(await ready.json()) }).toMatchObject({
      status: 503,
      reason: 'database',
    })
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)

    restic.open('end')
    await until(() => agent.facts().some(fact => fact.name === 'job.finished' && !fact.acked))
    // Long enough for the host to count as silent, were it not for its heartbeats.
    const heard = scene.link.counts.up
    await until(() => scene.link.counts.up > heard + 2_000)
    await pageLink.set('refuse')
    pageLink.dropAll()
    await top.getByText(/^reconnecting, data as of/).waitFor()
    expect(await banner.isVisible()).toBe(true)
    await pageLink.set('pass')

    await own.start()
    await banner.waitFor({ state: 'detached' })
    await top.getByText('Live').waitFor()
    await page.getByText('Succeeded').first().waitFor()
    expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded' })
    expect(await pathOf(server.db, jobId)).toEqual(['queued', 'accepted', 'running', 'succeeded'])
    await checkInvariants(scene)
    expect(scene.link.counts.connections).toBe(dials)
    expect(server.pid()).toBe(pid)
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
  },
)

test('when a standby takes over that lacks the last writes, connected hosts tell them again; a mere restart sends nobody away (row 19)', async () => {
  await using primary = await ownPostgres()
  await using standby = await primary.follow()
  const both = primary.url.replace('@127', `@127.0.0.1:${standby.port},127`)
  await using scene = await openSceneOn(both, { RM_TIMING: JSON.stringify(periods) })
  const { server, agent, hostId, restic } = scene
  restic.open('end')
  const sessions = async () => {
    const [row] = await server.db.execute(
      `select count(*)::int as n from agent_sessions where host_id = '${hostId}'`,
    )
    return row?.['n']
  }
  const backUp = async () => {
    const jobId = await scene.run('backup')
    expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded' })
    await until(() => agent.facts().every(fact => fact.acked))
    return jobId
  }

  const kept = await backUp()
  await primary.stop()
  await primary.start()
  await backUp()
  expect(await sessions()).toBe(1)

  await standby.fallBehind()
  const lost = await backUp()
  await primary.kill()
  await standby.promote()
  await scene.reaches(lost, 'succeeded')
  expect(await scene.statusOf(kept)).toBe('succeeded')
  expect(await sessions()).toBe(2)
  expect(restic.runs('backup')).toHaveLength(3)
  await checkInvariants({ ...scene, server: { ...server, databaseUrl: standby.url } })
})

test.skipIf('missing' in pgBouncer)(
  `through a pooler in transaction mode a host enrols, runs its backups and is followed while it does${'missing' in pgBouncer ? ` (${pgBouncer.missing})` : ''}`,
  async () => {
    await using undo = new AsyncDisposableStack()
    const own = undo.use(await ownPostgres())
    const { port, password } = own
    const program = 'path' in pgBouncer ? pgBouncer.path : ''
    const pooler = undo.use(await startPgBouncer({ path: program, port, password, user: databaseUser }))
    const scene = undo.use(
      await openSceneOn(own.url, {
        DATABASE_URL: own.url.replace(`:${port}/`, `:${pooler.port}/`),
        DATABASE_DIRECT_URL: own.url,
      }),
    )
    const { server, restic } = scene
    const jobId = await scene.run('backup')
    const seen: string[] = []
    const following = server.api.jobs.follow.subscribe(
      { jobId },
      { onData: ({ status }) => seen.push(status) },
    )
    await restic.reached('end')
    await until(() => seen.includes('running'))
    restic.open('end')
    expect(await scene.ending(jobId)).toMatchObject({ status: 'succeeded' })
    await until(() => seen.includes('succeeded'))
    following.unsubscribe()
    await checkInvariants(scene)
  },
)
