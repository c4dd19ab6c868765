// How long logs and records are kept, in a real browser: what would go is said first, then it is gone, and the job's page says so.
import path from 'node:path'
import { encodeLine } from '@restic-manager/contract/log'
import { newId } from '@restic-manager/contract/ids'
import { ensureLogDay, startServer, turnLogDays, type TestServer } from '@restic-manager/server/testing'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { zstdCompressSync } from 'node:zlib'
import { build, root } from '../../../../scripts/processes.ts'

const chromium = await probeChromium()
const dayMs = 86_400_000

/** A job that ended ten days ago, with its log. */
async function oldJob({ db }: TestServer): Promise<string> {
  const [hostId, jobId] = [newId(), newId()]
  const at = new Date(Date.now() - 10 * dayMs).toISOString()
  const day = at.slice(0, 10)
  const block = zstdCompressSync(encodeLine(0, 'stdout', 'a line of long ago')).toString('hex')
  await ensureLogDay(db, day)
  for (const statement of [
    `insert into hosts (id, name, hostname, public_key) values ('${hostId}', 'atlas', 'atlas', 'key')`,
    `insert into jobs (id, host_id, repository_id, kind, status, reported, spec, released_at, created_at, finished_at,
       last_log_seq, next_log_seq, log_day)
     values ('${jobId}', '${hostId}', '${newId()}', 'backup', 'succeeded', true, '{}', now(), '${at}', '${at}', 0, 1, '${day}')`,
    `insert into log_blocks (day, job_id, host_id, first_seq, count, started_at, block)
     values ('${day}', '${jobId}', '${hostId}', 0, 1, '${at}', '\\x${block}')`,
  ])
    await db.execute(statement)
  return jobId
}

test.skipIf('missing' in chromium)(
  'an admin shortens the time logs are kept and is told first what goes; the page of a job says that its log is gone',
  async () => {
    await build()
    await using server = await startServer({ pageDir: path.join(root, 'apps/web/dist') })
    const jobId = await oldJob(server)
    await using browser = await launchChromium()
    const page = await newPage(browser)
    const { email, password } = await server.createOperator()
    await page.goto(`${server.url}/sign-in?back=/jobs/${jobId}`)
    await page.getByLabel('E-mail').fill(email)
    await page.getByRole('textbox', { name: 'Password' }).fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('log').getByText('a line of long ago').waitFor()

    await page.getByRole('button', { name: /menu$/ }).click()
    await page.getByRole('menuitem', { name: 'Settings' }).click()
    const logs = page.getByRole('form', { name: 'Logs of jobs' })
    const days = logs.getByRole('textbox', { name: 'Keep logs for' })
    await days.fill('0')
    await page.getByText('From 1 to 3650 days.').waitFor()
    await days.fill('7')
    await page.getByText(/^This removes the logs of 1 day, .* for good\.$/).waitFor()
    await logs.getByRole('button', { name: 'Save and remove' }).click()
    await until(async () => (await server.api.settings.get.query()).logDays === 7)
    await logs.getByRole('button', { name: 'Save', exact: true }).waitFor()

    const records = async (form: string, field: string, typed: string, error: string, sane: string) => {
      const panel = page.getByRole('form', { name: form, exact: true })
      const input = panel.getByRole('textbox', { name: field })
      await input.fill(typed)
      await panel.getByText(error).waitFor()
      await input.fill(sane)
      await panel.getByText('This removes what is older, for good.').waitFor()
      await panel.getByRole('button', { name: 'Save and remove' }).click()
      await panel.getByRole('button', { name: 'Save', exact: true }).waitFor()
      return input
    }
    await records('Jobs', 'Keep jobs for', '29', 'From 30 to 3650 days.', '90')
    const audit = await records(
      'Audit log',
      'Keep the audit log for',
      '364',
      'From 365 to 3650 days.',
      '1000',
    )
    expect(await server.api.settings.get.query()).toMatchObject({ logDays: 7, jobDays: 90, auditDays: 1_000 })
    await audit.fill('')
    await page.getByRole('form', { name: 'Audit log' }).getByRole('button', { name: 'Save' }).click()
    await until(async () => (await server.api.settings.get.query()).auditDays === null)

    // What the chore does within ten minutes.
    expect((await turnLogDays(server.db)).removed).toHaveLength(1)
    await page.goto(`${server.url}/jobs/${jobId}`)
    await page.getByText('The log of this job was removed after 7 days.').waitFor()
    await expect(server.api.settings.update.mutate({ logDays: 0 })).rejects.toThrow('logDays')
    const { logSizes } = await server.api.settings.get.query()
    expect(logSizes.map(({ day }) => day)[0]).toBe(new Date().toISOString().slice(0, 10))
  },
)
