// `npm run screenshots`: a small fleet of real agents, and every page of it at 1440 and 390 px, light and dark.
// `-- --to <folder> [name …]` puts only the pictures of these names elsewhere.
import { execFile } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { newId } from '@restic-manager/contract/ids'
import { launchChromium, newPage } from '@restic-manager/testkit/chromium'
import { makeFiles } from '@restic-manager/testkit/files'
import { until } from '@restic-manager/testkit/until'
import { makeOperator, runToEnd, type Api } from './operator.ts'
import { planHosts } from './screenshot-plan.ts'
import {
  build,
  enrolAgent,
  root,
  policyOfThrowAway,
  startAgentProgram,
  startServerProgram,
  stopProgram,
  type Program,
} from './processes.ts'

const { values, positionals: only } = parseArgs({
  options: { to: { type: 'string' } },
  allowPositionals: true,
})
const target = path.resolve(values.to ?? path.join(root, 'docs/screenshots'))
const folder = path.join(tmpdir(), 'acme')

const widths = [1440, 390] as const
const views = widths.flatMap(width =>
  (['light', 'dark'] as const).map(scheme => ({ width, height: width === 390 ? 844 : 900, scheme })),
)
type View = (typeof views)[number]

/** `ends`: what is done with the host so that the pages have something to tell. */
const fleet = [
  { name: 'atlas', tags: ['lab'], ends: 'running' },
  { name: 'pg-billing-02.example.net', tags: ['prod', 'postgres'], ends: 'good' },
  { name: 'web-cms-legacy-production-staging-03.example.net', tags: ['web'], ends: 'incomplete' },
  { name: 'edge-warehouse-gdansk-07', tags: ['edge'], ends: 'offline' },
  { name: 'nas-lyon', tags: ['lyon'], ends: 'failed' },
  { name: 'mail-01', tags: ['prod'], ends: 'good' },
  { name: 'git-01', tags: ['prod'], ends: 'good' },
  { name: 'laptop-amelie', tags: ['laptop'], ends: 'new' },
] as const

type Host = (typeof fleet)[number] & { id: string; repositoryId: string; folder: string }

/** Backs one host up, or fails to, as its story goes. */
async function tell(api: Api, host: Host) {
  const on = { hostId: host.id, repositoryId: host.repositoryId }
  if (host.ends === 'new') return
  if (host.ends !== 'failed') await runToEnd(api, { ...on, kind: 'init', spec: {} })
  const paths = host.ends === 'incomplete' ? [host.folder, '/proc/1/mem'] : [host.folder]
  await runToEnd(api, { ...on, kind: 'backup', spec: { paths } })
  makeFiles(path.join(host.folder, 'more'), { files: 20, bytes: 3e6, seed: 9 })
  await runToEnd(api, { ...on, kind: 'backup', spec: { paths } })
}

async function main() {
  await build()
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  if (only.length === 0) await rm(target, { recursive: true, force: true })
  await mkdir(target, { recursive: true })
  const env = {
    RM_DATA_DIR: path.join(folder, 'server'),
    PORT: '0',
    DATABASE_URL: undefined,
    RM_LOG_LEVEL: 'error',
  }
  const programs: Program[] = []
  try {
    const server = await startServerProgram(env)
    programs.push(server)
    await shoot('', [{ name: 'set-up', at: server.setupLink ?? '' }])
    const { api, ...operator } = await makeOperator(
      { url: server.url, env },
      { email: 'noor@example.net', name: 'Noor Khalil', folder },
    )
    await shoot(server.url, [{ name: 'sign-in', at: '/sign-in' }])
    const signedIn = await signIn(server.url, operator)
    await shoot(server.url, [{ name: 'hosts-empty', at: '/hosts' }], signedIn)

    const policy = await policyOfThrowAway(folder)
    const hosts: Host[] = []
    for (const each of fleet) {
      const stateDir = path.join(folder, 'agents', each.name)
      await enrolAgent({ url: server.url, env }, stateDir, each.name)
      const agent = await startAgentProgram(each.name, stateDir, {
        env: { RM_LOG_LEVEL: 'error', ...policy },
      })
      programs.push(agent)
      hosts.push({ ...each, id: '', repositoryId: '', folder: path.join(folder, 'srv', each.name) })
    }
    const { rows } = await until(
      () => api.hosts.list.query({}),
      ({ counts }) => counts.online === fleet.length,
    )
    for (const host of hosts) {
      host.id = rows.find(({ name }) => name === host.name)?.id ?? ''
      await api.hosts.update.mutate({ hostId: host.id, tags: [...host.tags] })
      makeFiles(host.folder, { files: 400, bytes: 30e6, seed: host.name.length })
      const { repositoryId } = await api.repositories.create.mutate({
        requestId: newId(),
        name: `${host.name.split('.')[0]}-disk`,
        url: path.join(folder, 'repositories', host.name),
        hostIds: [host.id],
      })
      host.repositoryId = repositoryId
    }
    for (const host of hosts) await tell(api, host)
    const silent = programs.findIndex(({ name }) => name === 'edge-warehouse-gdansk-07')
    await stopProgram(programs[silent] as Program)

    const by = (ends: Host['ends']) => hosts.find(host => host.ends === ends) as Host
    const keeper = hosts.find(({ name }) => name === 'mail-01') as Host
    const plan = await planHosts(api, { host: by('good'), keeper, silent: by('offline') })
    const newest = async (host: Host) =>
      (await api.jobs.list.query({ hostId: host.id, limit: 1 })).rows[0]?.id ?? ''
    const pages = [
      { name: 'hosts', at: '/hosts' },
      { name: 'host', at: `/hosts/${by('incomplete').id}` },
      { name: 'host-planned', at: `/hosts/${by('good').id}` },
      { name: 'host-offline', at: `/hosts/${by('offline').id}` },
      { name: 'schedule-add', at: `/hosts/${by('running').id}/schedules/add` },
      { name: 'schedule-edit', at: `/schedules/${plan.backup}`, press: 'Open', whole: true },
      {
        name: 'schedule-forget',
        at: `/schedules/${plan.forget}`,
        press: 'Preview',
        whole: true,
        meanwhile: watchPreview,
      },
      { name: 'add-host', at: '/hosts', press: 'Add host' },
      { name: 'run-now', at: `/hosts/${by('good').id}`, press: 'Run now' },
      { name: 'jobs', at: '/jobs' },
      { name: 'job-incomplete', at: `/jobs/${await newest(by('incomplete'))}` },
      { name: 'job-failed', at: `/jobs/${await newest(by('failed'))}` },
      { name: 'jobs-of-schedule', at: `/jobs?scheduleId=${plan.backup}` },
      { name: 'job-forget', at: `/jobs/${plan.forgetJob}` },
      { name: 'snapshots', at: '/snapshots' },
      { name: 'repositories', at: '/repositories' },
      { name: 'repository', at: `/repositories/${by('good').repositoryId}` },
      { name: 'maintenance', at: `/repositories/${by('good').repositoryId}`, press: 'Change' },
      { name: 'add-repository', at: '/repositories/add' },
    ]
    await shoot(server.url, pages, signedIn)

    if (only.length > 0 && !only.includes('job-running')) return

    // A long backup, looked at while it runs.
    const photos = path.join(by('running').folder, 'photos')
    makeFiles(photos, { files: 2_000, bytes: 3e9 })
    const { jobId } = await api.jobs.run.mutate({
      requestId: newId(),
      hostId: by('running').id,
      repositoryId: by('running').repositoryId,
      kind: 'backup',
      spec: { paths: [photos] },
    })
    await until(
      () => api.jobs.get.query({ jobId }),
      job => (job.progress?.percentDone ?? 0) > 0.05,
      {
        what: 'a backup under way',
        timeoutMs: 120_000,
      },
    )
    await shoot(server.url, [{ name: 'job-running', at: `/jobs/${jobId}`, meanwhile: watchRate }], signedIn)
    await api.jobs.cancel.mutate({ jobId })
    await until(
      () => api.jobs.get.query({ jobId }),
      ({ status }) => status !== 'running',
      { timeoutMs: 120_000 },
    )
  } finally {
    for (const program of programs.toReversed()) await stopProgram(program)
    await rm(folder, { recursive: true, force: true })
  }
}

/** `whole`: what was pressed opened no dialog, so the picture is as high as the page. */
type Wanted = {
  name: string
  at: string
  press?: string
  whole?: boolean
  meanwhile?: (page: Page) => Promise<void>
}
type Page = Awaited<ReturnType<typeof newPage>>
type SignedIn = Awaited<ReturnType<typeof signIn>>

/** Takes pages at both widths in both themes, as who is signed in or as nobody. */
async function shoot(url: string, all: Wanted[], storageState?: SignedIn) {
  const pages = all.filter(({ name }) => only.length === 0 || only.includes(name))
  if (pages.length === 0) return
  await using browser = await launchChromium()
  const shootAll = async ({ width, height, scheme }: View) => {
    const page = await newPage(browser, { width, height, scheme, ...(storageState && { storageState }) })
    for (const wanted of pages) {
      await page.setViewportSize({ width, height })
      await page.goto(`${url}${wanted.at}`)
      await page.waitForLoadState('load')
      if (wanted.press !== undefined)
        await page.getByRole('button', { name: wanted.press, exact: true }).first().click()
      await settle(page)
      await wanted.meanwhile?.(page)
      // A dialog fits as it is, and a higher window would only show more of what lies behind it.
      if (wanted.press === undefined || wanted.whole === true) await fitHeight(page, { width, height })
      const file = path.join(target, `${wanted.name}-${width}-${scheme}.png`)
      await page.screenshot({ path: file })
      await squeeze(file)
      process.stderr.write(`${path.relative(root, file)}\n`)
    }
    await page.close()
  }
  // Two at a time: more windows than cores only wait for each other.
  for (const width of widths) await Promise.all(views.filter(view => view.width === width).map(shootAll))
}

/** Signs in once and gives the session for other windows: the server counts how often somebody signs in. */
async function signIn(url: string, { email, password }: { email: string; password: string }) {
  await using browser = await launchChromium()
  const page = await newPage(browser)
  await page.goto(`${url}/sign-in`)
  await page.getByLabel('E-mail').fill(email)
  await page.getByRole('textbox', { name: 'Password' }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL(/\/hosts/)
  return await page.context().storageState()
}

/** Waits until the page has its words, no skeleton is left, and what it shows has stopped changing for a moment. */
async function settle(page: Page) {
  await page.getByRole('heading').first().waitFor()
  await until(
    () => page.locator('.skeleton-row').count(),
    count => count === 0,
    { what: 'the data' },
  )
  let before = ''
  await until(
    async () => {
      const now = (await page.locator('body').innerText()).replaceAll(/\d+/g, '')
      const same = now === before
      before = now
      return same
    },
    same => same,
    { what: 'a quiet page', everyMs: 500 },
  )
}

/** Makes the window as high as what it shows, so that bars fixed to its edges stand there in the picture too. */
async function fitHeight(page: Page, { width, height }: { width: number; height: number }) {
  const whole = await page.evaluate(() => document.documentElement.scrollHeight)
  await page.setViewportSize({ width, height: Math.max(height, whole) })
  await page.evaluate(() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn))))
}

/** Stays on the page of a running job until its graph shows a line. */
async function watchRate(page: Page) {
  await until(
    async () => (await page.locator('.rate-path').first().getAttribute('d'))?.match(/[ML]/g)?.length ?? 0,
    points => points >= 8,
    { what: 'a line in the rate graph', timeoutMs: 60_000 },
  )
}

/** Stays on the page of a retention until its preview lists the snapshots. */
async function watchPreview(page: Page) {
  await page.getByRole('table', { name: 'Snapshots and what becomes of them' }).waitFor({ timeout: 60_000 })
}

/** Fewer colours where pngquant is installed: a third of the size and no difference to the eye. */
const squeeze = (file: string) =>
  new Promise<void>(resolve => {
    const options = ['--force', '--ext', '.png', '--skip-if-larger', '--strip']
    execFile('pngquant', [...options, '--', file], () => resolve())
  })

await main()
