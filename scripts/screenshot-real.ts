// The pictures of a small fleet of real agents that back up with restic: what is planned, what runs, and how it ended.
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { makeFiles } from '@restic-manager/testkit/files'
import { until } from '@restic-manager/testkit/until'
import { makeOperator, runToEnd, type Api } from './operator.ts'
import {
  enrolAgent,
  policyOfThrowAway,
  startAgentProgram,
  startServerProgram,
  stopProgram,
  type Program,
} from './processes.ts'
import { type Album, type Browser, isWanted, openCamera, type Page } from './screenshot-camera.ts'
import { planHosts } from './screenshot-plan.ts'
import { shootSetUp } from './screenshot-set-up.ts'

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
  if (host.ends !== 'failed' && host.ends !== 'running')
    await runToEnd(api, { ...on, kind: 'init', spec: {} })
  const paths = host.ends === 'incomplete' ? [host.folder, '/proc/1/mem'] : [host.folder]
  await runToEnd(api, { ...on, kind: 'backup', spec: { paths } })
  makeFiles(path.join(host.folder, 'more'), { files: 20, bytes: 3e6, seed: 9 })
  await runToEnd(api, { ...on, kind: 'backup', spec: { paths } })
}

/** Starts a server and agents of its own in `folder`, and takes every picture of them. */
export async function shootReal(browser: Browser, album: Album, folder: string) {
  await mkdir(folder, { recursive: true })
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
    const policy = await policyOfThrowAway(folder)
    const startHost = async (name: string) => {
      const stateDir = path.join(folder, 'agents', name)
      await enrolAgent({ url: server.url, env }, stateDir, name)
      programs.push(await startAgentProgram(name, stateDir, { env: { RM_LOG_LEVEL: 'error', ...policy } }))
    }
    const [first, ...others] = fleet
    const storageState = await shootSetUp(browser, album, {
      ...server,
      startHost: () => startHost(first.name),
      folder: path.join(folder, 'srv', first.name),
      repository: path.join(folder, 'repositories', first.name),
    })
    await using camera = await openCamera(browser, album, { url: server.url, storageState })
    for (const { name } of others) await startHost(name)
    const { api } = await makeOperator(
      { url: server.url, env },
      { email: 'marek@example.net', name: 'Marek Nowak', folder },
    )
    const hosts = await furnish(api, folder)
    for (const host of hosts) await tell(api, host)
    const silent = programs.findIndex(({ name }) => name === 'edge-warehouse-gdansk-07')
    await stopProgram(programs[silent] as Program)

    const by = (ends: Host['ends']) => hosts.find(host => host.ends === ends) as Host
    const keeper = hosts.find(({ name }) => name === 'mail-01') as Host
    const plan = await planHosts(api, { host: by('good'), keeper, silent: by('offline') })
    const newest = async (host: Host) =>
      (await api.jobs.list.query({ hostId: host.id, limit: 1 })).rows[0]?.id ?? ''
    const incomplete = `/jobs/${await newest(by('incomplete'))}`
    await camera.shootAll([
      { name: 'host', at: `/hosts/${by('good').id}` },
      { name: 'run-now', at: `/hosts/${by('good').id}`, dialog: true, act: press('Run now') },
      { name: 'add-host', at: '/hosts', dialog: true, act: press('Add host') },
      { name: 'schedule-add', at: `/hosts/${by('running').id}/schedules/add` },
      { name: 'schedule-edit', at: `/schedules/${plan.backup}`, act: press('Open') },
      { name: 'schedule-forget', at: `/schedules/${plan.forget}`, act: openPreview },
      { name: 'job-incomplete', at: incomplete },
      { name: 'job-log', at: incomplete, act: onlyProblems },
      { name: 'job-failed', at: `/jobs/${await newest(by('failed'))}` },
      { name: 'job-forget', at: `/jobs/${plan.forgetJob}` },
      {
        name: 'maintenance',
        at: `/repositories/${by('good').repositoryId}`,
        dialog: true,
        act: press('Change'),
      },
      { name: 'add-repository', at: '/repositories/add' },
    ])
    if (isWanted(album, 'job-running')) {
      const jobId = await runLong(api, by('running'))
      await camera.shoot({ name: 'job-running', at: `/jobs/${jobId}`, act: watchRate })
      await api.jobs.cancel.mutate({ jobId })
      await until(
        () => api.jobs.get.query({ jobId }),
        ({ status }) => status !== 'running',
        { timeoutMs: 120_000 },
      )
    }
  } finally {
    for (const program of programs.toReversed()) await stopProgram(program)
  }
}

/** Gives each host its tags, files, and a repository; the first has one from the set-up. */
async function furnish(api: Api, folder: string): Promise<Host[]> {
  const { rows } = await until(
    () => api.hosts.list.query({}),
    ({ counts }) => counts.online === fleet.length,
  )
  const known = await api.repositories.list.query()
  const hosts: Host[] = []
  for (const each of fleet) {
    const id = rows.find(({ name }) => name === each.name)?.id ?? ''
    const files = path.join(folder, 'srv', each.name)
    await api.hosts.update.mutate({ hostId: id, tags: [...each.tags] })
    makeFiles(files, { files: 400, bytes: 30e6, seed: each.name.length })
    const name = `${each.name.split('.')[0]}-disk`
    const repositoryId =
      known.find(repository => repository.name === name)?.id ??
      (
        await api.repositories.create.mutate({
          requestId: newId(),
          name,
          url: path.join(folder, 'repositories', each.name),
          hostIds: [id],
        })
      ).repositoryId
    hosts.push({ ...each, id, repositoryId, folder: files })
  }
  return hosts
}

/** A backup long enough to be looked at while it runs. */
async function runLong(api: Api, host: Host): Promise<string> {
  const photos = path.join(host.folder, 'photos')
  makeFiles(photos, { files: 2_000, bytes: 3e9 })
  const { jobId } = await api.jobs.run.mutate({
    requestId: newId(),
    hostId: host.id,
    repositoryId: host.repositoryId,
    kind: 'backup',
    spec: { paths: [photos] },
  })
  await until(
    () => api.jobs.get.query({ jobId }),
    job => (job.progress?.percentDone ?? 0) > 0.05,
    { what: 'a backup under way', timeoutMs: 120_000 },
  )
  return jobId
}

const press = (word: string) => (page: Page) =>
  page.getByRole('button', { name: word, exact: true }).first().click()

async function openPreview(page: Page) {
  await press('Preview')(page)
  await page.getByRole('table', { name: 'Snapshots and what becomes of them' }).waitFor({ timeout: 60_000 })
}

async function onlyProblems(page: Page) {
  await page.getByText(/^Warnings and errors/).click()
  await page.getByLabel('Search the log').scrollIntoViewIfNeeded()
}

/** Stays on the page of a running job until its graph shows a line. */
async function watchRate(page: Page) {
  await until(
    async () => (await page.locator('.rate-path').first().getAttribute('d'))?.match(/[ML]/g)?.length ?? 0,
    points => points >= 8,
    { what: 'a line in the rate graph', timeoutMs: 60_000 },
  )
}
