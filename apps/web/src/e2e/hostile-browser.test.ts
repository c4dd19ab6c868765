// What a hostile host writes is text on the page and nothing else, and what a page of another site sends is turned down.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { encodeLine } from '@restic-manager/contract/log'
import { snapshotTags } from '@restic-manager/contract/snapshots'
import { joinAsAgent, type RawSocket } from '@restic-manager/server/testing/agent'
import { startServer, type TestServer } from '@restic-manager/server/testing'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { build, root } from '../../../../scripts/processes.ts'

const chromium = await probeChromium()

/** Breaks out of text, attributes, terminals and folders, where anything lets it. */
const evil = (name: string) =>
  `../../${name}\u001b]0;x\u0007\u001b[31m\u202e"'><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`

/** The same as a name, which takes no control characters. */
const evilName = (name: string) => evil(name).replaceAll(/[\p{Cc}\u202e]/gu, '')

/** The value a call was answered with; throws what the server says of it. */
async function ask(raw: RawSocket, id: number, procedure: string, input: unknown): Promise<unknown> {
  raw.call(id, 'mutation', procedure, input)
  const frame = await until(() => raw.frames.find(each => each.id === id))
  if (frame.error !== undefined) throw new Error(`${procedure}: ${frame.error.message}`)
  return frame.result?.data
}

/** A host that puts mischief into every text it may say. Answers what there is to look at. */
async function enrolLiar(server: TestServer) {
  const agent = await joinAsAgent(server.url, await server.createEnrolment())
  const { hostId } = agent
  const { repositoryId } = await server.api.repositories.create.mutate({
    ...{ requestId: newId(), name: evilName('repository'), url: '/srv/main', hostIds: [hostId] },
  })
  await server.api.hosts.update.mutate({ hostId, name: evilName('host') })
  const { scheduleId } = await server.api.schedules.create.mutate({
    ...{ requestId: newId(), hostId },
    schedule: {
      ...{ name: evilName('schedule'), kind: 'backup', repositoryIds: [repositoryId], cron: '0 3 * * *' },
      ...{ timeZone: 'UTC', paths: ['/srv', `/${evil('path')}`], excludes: [evil('exclude')] },
      ...{ enabled: true, manual: false, catchUp: 'once', overlap: 'skip', jitterSeconds: 0 },
    },
  })
  const { jobId } = await server.api.jobs.run.mutate({
    ...{ requestId: newId(), hostId, repositoryId, kind: 'backup', spec: { paths: [`/${evil('path')}`] } },
  })
  const raw = await agent.dial()
  const at = new Date().toISOString()
  let seq = 0
  const fact = (lane: 'first' | 'rest') => ({ lane, seq: ++seq, occurredAt: at })
  const header = { jobId, kind: 'backup', repositoryId }
  const say = (procedure: string, input: unknown) => ask(raw, ++seq + 1_000, procedure, input)
  await say('agent.hello', {
    ...{ protocolVersion: 1, agentVersion: evil('1'), resticVersion: '0.18.0', hostname: evilName('name') },
    ...{ os: 'linux', arch: 'amd64', timeZone: 'Europe/Berlin', spoolEpoch: newId(), knownJobs: [] },
    ...{ appliedScheduleVersion: 0, appliedConfigVersion: 0 },
    policy: { hooks: 'listed', hookNames: ['dump'], problem: evil('problem') },
  }).catch(async () =>
    say('agent.hello', {
      ...{ protocolVersion: 1, agentVersion: '0.1.0', resticVersion: '0.18.0', hostname: evilName('name') },
      ...{ os: 'linux', arch: 'amd64', timeZone: 'Europe/Berlin', spoolEpoch: newId(), knownJobs: [] },
      ...{
        appliedScheduleVersion: 0,
        appliedConfigVersion: 0,
        policy: { hooks: 'off', problem: evil('problem') },
      },
    }),
  )
  await say('command.result', { ...fact('first'), ...header, accepted: true })
  await say('job.started', {
    ...{ ...fact('rest'), ...header, startedAt: at, command: evil('restic'), resticVersion: evil('0.18') },
  })
  const lines = [evil('line'), '\u001b[2J\u001b[H\u001b[31mred\u001b[0m', '<b>bold</b>']
  const block = lines.map(line => encodeLine(0, 'stdout', line)).join('')
  await say('log.stream', { jobId, firstSeq: 0, count: lines.length, startedAt: at, block })
  await say('job.finished', {
    ...{ ...fact('rest'), ...header, status: 'incomplete', finishedAt: at, lastLogSeq: 2, exitCode: 3 },
    ...{
      error: evil('error'),
      reason: evil('').slice(0, 60),
      stats: { [evil('').slice(0, 60)]: evil('stat') },
    },
    warnings: [{ code: 'unreadable', path: `/${evil('file')}`, message: evil('warning') }],
  })
  await say('snapshots.report', {
    ...{ ...fact('rest'), repositoryId, reportId: newId(), scope: 'own', page: 0, pages: 1 },
    snapshots: [
      {
        ...{
          id: 'ab'.repeat(32),
          shortId: 'abababab',
          time: at,
          hostname: evil('snap'),
          sizeBytes: 1,
          fileCount: 1,
        },
        ...{ paths: [`/${evil('snap')}`], tags: [snapshotTags.host(hostId), evil('tag').slice(0, 100)] },
      },
    ],
  })
  await say('repo.stats', {
    ...{ repositoryId, lockState: 'locked', sizeBytes: 1 },
    locks: [{ hostname: evil('lock'), pid: 1, createdAt: at, exclusive: true }],
  })
  return { hostId, repositoryId, scheduleId, jobId, raw }
}

test.skipIf('missing' in chromium)(
  'ANSI, HTML and ../ in every text of a host are shown as text: no script runs, and the content policy is never broken (row 41)',
  async () => {
    await build()
    await using server = await startServer({ pageDir: path.join(root, 'apps/web/dist') })
    const { hostId, repositoryId, scheduleId, jobId, raw } = await enrolLiar(server)
    await using browser = await launchChromium()
    const page = await newPage(browser)
    const complaints: string[] = []
    page.on('pageerror', error => complaints.push(error.message))
    page.on('console', message => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('dialog', dialog => {
      complaints.push(`a dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    await page.addInitScript(() => {
      addEventListener('securitypolicyviolation', event =>
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
      )
    })
    const { email, password } = await server.createOperator()
    await page.goto(`${server.url}/sign-in?back=/hosts`)
    await page.getByLabel('E-mail').fill(email)
    await page.getByRole('textbox', { name: 'Password' }).fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.waitForURL(address => address.pathname === '/hosts')

    const places: [string, string | undefined][] = [
      ['/hosts', '../../host'],
      [`/hosts/${hostId}`, '../../host'],
      [`/hosts/${hostId}/schedules/add`, '../../host'],
      [`/schedules/${scheduleId}`, undefined],
      ['/jobs', '../../host'],
      [`/jobs/${jobId}`, '../../line'],
      ['/repositories', '../..'],
      ['/repositories/add', undefined],
      [`/repositories/${repositoryId}`, '../..'],
      ['/', undefined],
      ['/snapshots', undefined],
      ['/attention', undefined],
      ['/settings', undefined],
      ['/settings/audit', '../../host'],
    ]
    for (const [address, shown] of places) {
      await page.goto(server.url + address)
      await page.getByRole('main').waitFor()
      // Texts are there as they were sent, so what would be a tag is one no more.
      if (shown !== undefined)
        await until(async () => (await page.locator('body').innerText()).includes(shown), undefined, {
          what: `"${shown}" at ${address}`,
        })
      await page.waitForLoadState('networkidle')
      expect(await page.locator('img[src="x"]').count(), address).toBe(0)
      expect(await page.evaluate(() => 'pwned' in globalThis), address).toBe(false)
    }
    expect(complaints).toEqual([])
    raw.socket.terminate()
  },
)

test.skipIf('missing' in chromium)(
  'a page of another origin opens no socket with the cookie of an operator, changes nothing, reads nothing and frames nothing',
  async () => {
    await build()
    await using server = await startServer({ pageDir: path.join(root, 'apps/web/dist') })
    // Another port of the same machine: the same site, so that browsers send even a strict cookie along.
    const other = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>other</title>')
    }).listen(0, '127.0.0.1')
    await once(other, 'listening')
    try {
      const elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
      await using browser = await launchChromium()
      const page = await newPage(browser)
      const { email, password } = await server.createOperator()
      await page.goto(`${server.url}/sign-in?back=/hosts`)
      await page.getByLabel('E-mail').fill(email)
      await page.getByRole('textbox', { name: 'Password' }).fill(password)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.waitForURL(address => address.pathname === '/hosts')
      // The control: from our own page the socket opens and a call with the cookie is answered.
      expect(await page.evaluate(tryAll, server.url)).toMatchObject({ socket: 'open', read: '200' })

      const before = server.turnedAway()['foreign_origin'] ?? 0
      await page.goto(elsewhere)
      expect(await page.evaluate(tryAll, server.url)).toEqual({
        ...{ socket: 'refused', read: 'refused', change: 'refused', form: 'refused' },
      })
      expect((await server.api.settings.get.query()).logDays).toBe(30)
      await until(() => (server.turnedAway()['foreign_origin'] ?? 0) >= before + 3)

      const framed = await page.evaluate(async url => {
        const frame = document.createElement('iframe')
        frame.src = url
        const loaded = new Promise(resolve => frame.addEventListener('load', resolve))
        document.body.append(frame)
        await loaded
        return 'loaded'
      }, `${server.url}/hosts`)
      expect(framed).toBe('loaded')
      expect(
        await page
          .frames()
          .at(-1)
          ?.title()
          .catch(() => ''),
      ).not.toMatch(/restic/i)
    } finally {
      other.close()
    }
  },
)

/** Runs in the browser: what a page gets from the server at `url` with the cookie that is there. */
async function tryAll(url: string) {
  const socket = await new Promise(resolve => {
    const opened = new WebSocket(`${url.replace('http', 'ws')}/trpc`)
    opened.addEventListener('open', () => resolve('open'))
    opened.addEventListener('error', () => resolve('refused'))
  })
  const settled = async (asked: Promise<Response>) => {
    try {
      return String((await asked).status)
    } catch {
      return 'refused'
    }
  }
  const credentials = 'include' as const
  const read = await settled(fetch(`${url}/trpc/me.get`, { credentials }))
  const change = await settled(
    fetch(`${url}/trpc/settings.update`, {
      ...{ credentials, method: 'POST', headers: { 'content-type': 'application/json' } },
      body: JSON.stringify({ json: { logDays: url === location.origin ? 30 : 7 } }),
    }),
  )
  // A simple request, which browsers send without asking first; only its answer is kept from the page.
  const form = await fetch(`${url}/trpc/settings.update`, {
    ...{ credentials, method: 'POST', mode: 'no-cors' },
    body: JSON.stringify({ json: { logDays: url === location.origin ? 30 : 8 } }),
  }).then(
    () => 'sent',
    () => 'refused',
  )
  return { socket, read, change, form }
}
