// A seeded fleet behind the built server, and a browser that is signed in: what the benchmarks of the page look at.
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { launchChromium, newPage } from '@restic-manager/testkit/chromium'
import type { Browser, Page } from 'playwright-core'
import { makeOperator, type Api } from '../../../../scripts/operator.ts'
import {
  build,
  type Environment,
  makeThrowAway,
  removeThrowAway,
  root,
  runProgram,
  startServerProgram,
  stopProgram,
} from '../../../../scripts/processes.ts'

export type PageWish = { hosts: number; jobs: number; dataDir: string | undefined }

export type PageWorld = AsyncDisposable & {
  /** What was seeded. */
  fleet: { hosts: number; jobs: number }
  url: string
  env: Environment
  /** Thrown away in the end. */
  folder: string
  api: Api
  browser: Browser
  /** A signed-in page of its own, with nothing in its cache. */
  open(): Promise<Page>
}

/** Nobody is there, but for as long as this servers take the hosts of a fleet for online. */
const ONLINE_HOURS = 24 * 365

/**
 * Builds what has changed, seeds a fleet and starts the server on it, without its limits on calls. A `dataDir` that holds a
 * fleet is used as it is: seeding the full one takes minutes.
 */
export async function openPageWorld({ hosts, jobs, dataDir }: PageWish): Promise<PageWorld> {
  await build()
  await using undo = new AsyncDisposableStack()
  const folder = await makeThrowAway('rm-page-')
  undo.defer(() => removeThrowAway(folder))
  const env = {
    RM_DATA_DIR: path.resolve(dataDir ?? path.join(folder, 'server')),
    ...{ DATABASE_URL: undefined, PORT: '0', RM_LOG_LEVEL: 'warn', RM_API_CALLS_PER_MINUTE: '9999999' },
  }
  const fleet = await seedOnce(env, { hosts, jobs })
  const server = await startServerProgram(env)
  undo.defer(async () => void (await stopProgram(server)))
  const { url } = server
  const email = `bench-${Date.now()}@example.net`
  const { api, password } = await makeOperator({ url, env }, { email, name: 'Bench', folder })
  const browser = undo.use(await launchChromium())
  const entrance = await newPage(browser)
  await entrance.goto(`${url}/sign-in`)
  await entrance.getByLabel('E-mail').fill(email)
  await entrance.getByRole('textbox', { name: 'Password' }).fill(password)
  await entrance.getByRole('button', { name: 'Sign in' }).click()
  await entrance.locator('.overview-head').waitFor()
  const storageState = await entrance.context().storageState()
  await entrance.close()
  const owned = undo.move()
  return {
    ...{ fleet, url, env, folder, api, browser },
    open: () => newPage(browser, { storageState }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Seeds a fresh data directory, and writes down in it of what size the fleet is. */
async function seedOnce(env: { RM_DATA_DIR: string }, wish: PageWorld['fleet']): Promise<PageWorld['fleet']> {
  const dataDir = env.RM_DATA_DIR
  const note = path.join(dataDir, 'bench-fleet.json')
  if (existsSync(note)) return JSON.parse(await readFile(note, 'utf8')) as PageWorld['fleet']
  if (existsSync(path.join(dataDir, 'postgres')))
    throw new Error(`${dataDir} holds a database that no benchmark has seeded.`)
  process.stderr.write(`seeding ${wish.hosts} hosts and ${wish.jobs} jobs\n`)
  await mkdir(dataDir, { recursive: true, mode: 0o711 })
  const size = ['--hosts', String(wish.hosts), '--jobs', String(wish.jobs)]
  const seed = path.join(root, 'apps/server/src/seed.ts')
  await runProgram([seed, ...size, '--online-hours', String(ONLINE_HOURS)], env)
  await writeFile(note, JSON.stringify(wish))
  return wish
}
