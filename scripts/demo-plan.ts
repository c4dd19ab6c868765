// The schedules of the demo: a backup every minute on each host, retention, a check, and a place that does not answer.
import { newId } from '@restic-manager/contract/ids'
import { hasEnded } from '@restic-manager/contract/job-ended'
import type { ScheduleDraft } from '@restic-manager/contract/schedule'
import type { JobView } from '@restic-manager/contract/views'
import { until } from '@restic-manager/testkit/until'
import type { DemoHost } from './demo-hosts.ts'
import type { Api } from './operator.ts'

export type DemoPlan = {
  /** The schedule that backs up each host every minute, in the order of the hosts. */
  scheduleIds: string[]
  /** Runs the backup to the place that does not answer, and waits until it has failed. */
  failOnce(): Promise<JobView>
  /** Lets no further slot come, and waits until nothing runs any more. */
  pause(): Promise<void>
}

const usual = {
  timeZone: 'UTC',
  enabled: true,
  manual: false,
  catchUp: 'once',
  overlap: 'skip',
  jitterSeconds: 0,
} satisfies Partial<ScheduleDraft>

/** Plans what a small fleet would: every draft goes through the same procedures as the page's. */
export async function planDemo(api: Api, hosts: readonly DemoHost[]): Promise<DemoPlan> {
  const create = async (hostId: string, schedule: ScheduleDraft) =>
    (await api.schedules.create.mutate({ requestId: newId(), hostId, schedule })).scheduleId

  const scheduleIds: string[] = []
  for (const host of hosts) {
    const repositoryIds = [host.repositoryId]
    const backup: ScheduleDraft = {
      ...usual,
      name: 'Every minute',
      kind: 'backup',
      repositoryIds,
      cron: '* * * * *',
      paths: [host.folder],
    }
    const scheduleId = await create(host.hostId, backup)
    scheduleIds.push(scheduleId)
    await create(host.hostId, {
      ...usual,
      name: 'Keep the last hour, then thin out',
      kind: 'forget',
      repositoryIds,
      cron: '*/15 * * * *',
      retention: { last: 10, hourly: 24, daily: 7, weekly: 4, monthly: 12 },
      forgets: [scheduleId],
    })
  }
  const failing = await planFailure(api, create, hosts)

  return {
    scheduleIds,
    async failOnce() {
      const { jobIds } = await api.schedules.runNow.mutate({ requestId: newId(), scheduleId: failing })
      return until(
        () => api.jobs.get.query({ jobId: jobIds[0] ?? '' }),
        ({ status }) => hasEnded(status),
        {
          what: 'the end of the backup to the place that does not answer',
          timeoutMs: 180_000,
        },
      )
    },
    async pause() {
      const all = await api.schedules.list.query({})
      for (const { id, version } of all)
        await api.schedules.setEnabled.mutate({ scheduleId: id, version, enabled: false })
      await until(
        () => api.jobs.list.query({ statuses: ['queued', 'accepted', 'running'] }),
        ({ rows }) => rows.length === 0,
        { what: 'the end of every job', timeoutMs: 180_000 },
      )
    },
  }
}

/** One host also backs up to a storage that nobody runs. */
async function planFailure(
  api: Api,
  create: (hostId: string, schedule: ScheduleDraft) => Promise<string>,
  hosts: readonly DemoHost[],
): Promise<string> {
  const host = hosts.find(({ name }) => name.startsWith('web'))
  if (host === undefined) throw new Error('the demo has no host whose second backup fails')
  const { repositoryId } = await api.repositories.create.mutate({
    requestId: newId(),
    name: 'off-site-copy',
    url: 'rest:http://127.0.0.1:9/off-site/',
    hostIds: [host.hostId],
  })
  return create(host.hostId, {
    ...usual,
    name: 'Off-site copy',
    kind: 'backup',
    repositoryIds: [repositoryId],
    cron: '*/10 * * * *',
    paths: [host.folder],
  })
}

/** Waits until every host has fired a slot of its own, and answers with the job of each. */
export async function waitForSlots(api: Api, { scheduleIds }: DemoPlan): Promise<JobView[]> {
  const ended: JobView[] = []
  for (const scheduleId of scheduleIds) {
    const { rows } = await until(
      () => api.jobs.list.query({ scheduleId }),
      page => page.rows.some(({ status, scheduledFor }) => scheduledFor !== null && hasEnded(status)),
      { what: 'a backup by schedule', timeoutMs: 240_000 },
    )
    const done = rows.findLast(({ status, scheduledFor }) => scheduledFor !== null && hasEnded(status))
    ended.push(await api.jobs.get.query({ jobId: done?.id ?? '' }))
  }
  return ended
}
