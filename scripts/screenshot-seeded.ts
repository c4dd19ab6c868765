// The pictures of a fleet of hundreds of hosts, as `npm run seed` makes it: long lists, and something of everything that goes wrong.
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { makeOperator } from './operator.ts'
import { root, runProgram, startServerProgram, stopProgram } from './processes.ts'
import { type Album, type Browser, isWanted, openCamera, signIn, type Wanted } from './screenshot-camera.ts'
import { cutTheLine, holdAnswers, loseAnswers } from './screenshot-states.ts'

/** Of these 240 hosts some are silent, one is quarantined and one waits to be let in. */
const wish = ['--hosts', '240', '--jobs', '20000', '--days', '45', '--seed', '29']

const people = [
  { email: 'yasmin@example.net', name: 'Yasmin Haddad', role: 'operator' },
  { email: 'jonas@example.net', name: 'Jonas Brandt', role: 'viewer' },
] as const

/** Seeds a server of its own in `folder`, and takes every picture of it. */
export async function shootSeeded(browser: Browser, album: Album, folder: string) {
  await mkdir(folder, { recursive: true })
  const env = {
    RM_DATA_DIR: path.join(folder, 'server'),
    PORT: '0',
    DATABASE_URL: undefined,
    RM_LOG_LEVEL: 'error',
  }
  await runProgram([path.join(root, 'apps/server/src/seed.ts'), ...wish], env)
  const server = await startServerProgram(env)
  try {
    const at = { url: server.url, env }
    for (const person of people) await makeOperator(at, { ...person, folder })
    const { api, ...operator } = await makeOperator(at, {
      email: 'noor@example.net',
      name: 'Noor Khalil',
      folder,
    })
    const one = async (filter: Parameters<typeof api.hosts.list.query>[0]) =>
      (await api.hosts.list.query({ ...filter, limit: 1 })).rows[0]?.id ?? ''
    const paused = await one({ state: 'online', search: 'laptop' })
    await api.hosts.pause.mutate({
      hostId: paused,
      reason: 'On leave with its owner until the end of the month',
    })
    const house = { url: server.url, storageState: await signIn(browser, server.url, operator) }
    await using camera = await openCamera(browser, album, house)
    await camera.shootAll([
      ...statesOf('overview', '/'),
      ...statesOf('attention', '/attention'),
      ...statesOf('hosts', '/hosts'),
      { name: 'hosts-no-match', at: '/hosts?search=nothing-is-called-so' },
      ...statesOf('host', `/hosts/${await one({ state: 'late' })}`).slice(1),
      { name: 'host-offline', at: `/hosts/${await one({ state: 'offline' })}` },
      { name: 'host-quarantined', at: `/hosts/${await one({ state: 'quarantined' })}` },
      { name: 'host-paused', at: `/hosts/${paused}` },
      ...statesOf('jobs', '/jobs'),
      { name: 'jobs-failed', at: '/jobs?status=failed' },
      ...statesOf('snapshots', '/snapshots'),
      ...statesOf('repositories', '/repositories'),
      ...statesOf('repository', `/repositories/${(await api.repositories.list.query())[0]?.id}`),
      ...statesOf('settings', '/settings'),
      ...statesOf('users', '/settings/users'),
      { name: 'sign-in-settings', at: '/settings/sign-in' },
      ...statesOf('audit', '/settings/audit'),
      { name: 'about', at: '/settings/about' },
      { name: 'account', at: '/account' },
      { name: 'not-found', at: '/nowhere' },
    ])
    // A line that is cut stays cut for as long as its window is open.
    await using cutOff = await openCamera(browser, album, house)
    await cutOff.shootAll([{ name: 'overview-reconnecting', at: '/', ...cutTheLine() }])
    if (isWanted(album, 'hosts-selected')) await camera.shoot(selected)
    if (isWanted(album, 'palette')) await camera.shoot(palette)
  } finally {
    await stopProgram(server)
  }
}

/** A page as it is, while it waits, and when no answer comes. */
const statesOf = (name: string, at: string): Wanted[] => [
  { name, at },
  {
    name: `${name}-loading`,
    at,
    before: holdAnswers,
    unsettled: true,
    act: page => page.locator('.skeleton-row').first().waitFor(),
  },
  {
    name: `${name}-failing`,
    at,
    before: loseAnswers,
    unsettled: true,
    act: page => page.getByText('Try again').first().waitFor({ timeout: 60_000 }),
  },
]

const selected: Wanted = {
  name: 'hosts-selected',
  at: '/hosts',
  act: async page => {
    const boxes = page.getByRole('checkbox', { name: /^Choose / })
    for (const index of [2, 3, 5]) await boxes.nth(index).check()
    await page.getByRole('toolbar', { name: 'With the chosen hosts' }).waitFor()
  },
}

const palette: Wanted = {
  name: 'palette',
  at: '/',
  dialog: true,
  act: async page => {
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Find hosts, jobs, actions' }).fill('berlin')
    await page.getByRole('option').first().waitFor()
  },
}
