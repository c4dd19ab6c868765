// The plan of the host in the pictures: every kind of schedule, runs of most of them, and a maintenance host.
import { newId } from '@restic-manager/contract/ids'
import { hasEnded } from '@restic-manager/contract/job-ended'
import type { ScheduleDraft } from '@restic-manager/contract/schedule'
import { until } from '@restic-manager/testkit/until'
import type { Api } from './operator.ts'

type Planned = { id: string; repositoryId: string; folder: string }

const usual = {
  timeZone: 'Europe/Berlin',
  enabled: true,
  manual: false,
  catchUp: 'once',
  overlap: 'skip',
  jitterSeconds: 0,
  retry: { count: 2, delaySeconds: 600 },
} as const

/** Makes the schedules of `host`; `keeper` maintains its repository, `silent` cannot hear of its plan. */
export async function planHosts(
  api: Api,
  { host, keeper, silent }: { host: Planned; keeper: { id: string }; silent: Planned },
): Promise<{ backup: string; forget: string; forgetJob: string }> {
  const create = async (hostId: string, schedule: ScheduleDraft) =>
    (await api.schedules.create.mutate({ requestId: newId(), hostId, schedule })).scheduleId
  const run = async (scheduleId: string) => {
    const { jobIds } = await api.schedules.runNow.mutate({ requestId: newId(), scheduleId })
    const [jobId = ''] = jobIds
    await until(
      () => api.jobs.get.query({ jobId }),
      ({ status }) => hasEnded(status),
      { what: 'the end of a planned job', timeoutMs: 120_000 },
    )
    return jobId
  }
  const repository = await api.repositories.get.query({ repositoryId: host.repositoryId })
  await api.repositories.update.mutate({
    repositoryId: repository.id,
    version: repository.version,
    name: repository.name,
    url: repository.url,
    mayDelete: repository.mayDelete,
    hostIds: [host.id],
    maintenanceHostId: keeper.id,
  })
  const repositoryIds = [host.repositoryId]
  const backup = await create(host.id, {
    ...usual,
    name: 'Billing database',
    kind: 'backup',
    repositoryIds,
    cron: '10 23 * * *',
    jitterSeconds: 900,
    paths: [host.folder, '/etc/hostname'],
    excludes: ['*.tmp'],
    tags: ['billing'],
  })
  const forget = await create(host.id, {
    ...usual,
    name: 'Keep 7 daily, 4 weekly, 12 monthly',
    kind: 'forget',
    repositoryIds,
    cron: '0 5 * * *',
    retention: { last: 2, weekly: 4 },
    forgets: [backup],
  })
  const prune = await create(host.id, {
    ...usual,
    name: 'Free space on Sundays',
    kind: 'prune',
    repositoryIds,
    cron: '0 6 * * 0',
  })
  const check = await create(host.id, {
    ...usual,
    name: 'Read everything back in a quarter of a year',
    kind: 'check',
    repositoryIds,
    cron: '30 6 * * 6',
    options: { readRotation: 12 },
  })
  await create(host.id, {
    ...usual,
    name: 'Before month end',
    kind: 'backup',
    repositoryIds,
    manual: true,
    paths: ['/etc/hostname'],
  })
  await create(silent.id, {
    ...usual,
    name: 'Warehouse files',
    kind: 'backup',
    repositoryIds: [silent.repositoryId],
    cron: '20 */6 * * *',
    paths: [silent.folder],
  })
  for (const scheduleId of [backup, backup, backup, backup]) await run(scheduleId)
  const forgetJob = await run(forget)
  await run(check)
  await run(prune)
  return { backup, forget, forgetJob }
}
