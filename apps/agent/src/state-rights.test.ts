// What lies on the disk of a host while its agent works: for its own user alone, and without what restic should not have said.
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { openDesk } from './testing-desk.ts'
import { backupOrder, configOrder, repositoryId } from './testing-orders.ts'

const password = 'canary-of-the-disk-4711'
const told = `Fatal: wrong password: ${password}`

/** An agent in the middle of a backup whose restic has just printed its password. */
async function openBusy() {
  const steps = [
    { print: told },
    { print: told, to: 'stderr' as const },
    { wait: 'looked at' },
    { summary: {} },
  ]
  const desk = await openDesk({ configured: false, script: { runs: { backup: { steps } } } })
  const access = { repositoryId, url: '/srv/repository', password, mayDelete: false }
  desk.end.order(configOrder({ repositories: [access] }))
  const order = backupOrder()
  desk.end.order(order)
  await until(() => desk.log(order.jobId).filter(line => JSON.stringify(line).includes('***')).length >= 2)
  return desk
}

/** Every file and folder below, but for the policy, which its owner puts wherever it pleases. */
const below = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(({ name }) => name !== 'policy.json')
    .map(({ parentPath, name }) => join(parentPath, name))

test('whatever the agent has on disk while it works, nobody else can read', async () => {
  await using desk = await openBusy()
  const { stateDir } = desk.agent
  expect(lstatSync(stateDir).mode & 0o777).toBe(0o700)
  const paths = below(stateDir)
  const open = paths.filter(path => lstatSync(path).isFile() && (lstatSync(path).mode & 0o077) !== 0)
  expect(open.map(path => relative(stateDir, path))).toEqual([])
  expect(paths.length).toBeGreaterThan(5)
})

test('a secret that restic prints is nowhere on disk but where access is kept', async () => {
  await using desk = await openBusy()
  const { stateDir } = desk.agent
  const holding = below(stateDir).filter(
    path => lstatSync(path).isFile() && readFileSync(path).includes(password),
  )
  expect(holding.map(path => relative(stateDir, path))).toEqual(['config.json'])
})
