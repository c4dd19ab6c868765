// What operators do meanwhile: wish for jobs, cancel and retry them, plan, change plans, change configuration.
import { newId } from '@restic-manager/contract/ids'
import type { ScheduleDraft } from '@restic-manager/contract/schedule'
import { chanceOf } from './chance.ts'
import { askUntilAnswered, type Answer, type Api } from './operator.ts'
import { chosen, type Act, type ActKind } from './story.ts'
import type { ChaosWorld, Place } from './world.ts'

/** Jobs an operator was told of: an answer is a promise too. `by`: the request they came from. */
export type Told = { by: string; jobIds: readonly string[] }

/** Does one act and answers how it went; undefined when there was nothing to do it to. */
type Doer = (world: ChaosWorld, act: Act, told: Told[]) => Promise<Answer<unknown> | undefined>

/** Does what was drawn. What the server refuses or never answers is no failure of the run: it is what operators see. */
export async function perform(
  world: ChaosWorld,
  act: Act,
  told: Told[],
): Promise<Answer<unknown> | undefined> {
  return doers[act.kind](world, act, told)
}

const doers: Record<ActKind, Doer> = {
  backup: (world, act, told) => order(world.api, backupOn(world, act), told),
  // The same wish at both servers at once: one job, and both name it.
  async 'backup-twice'(world, act, told) {
    const wish = backupOn(world, act)
    const answers = await Promise.all(world.servers.map(({ api }) => order(api, wish, told)))
    return answers.find(({ is }) => is === 'answered') ?? answers[0]
  },
  probe: (world, act, told) => order(world.api, { ...jobOn(world, act), kind: 'probe', spec: {} }, told),
  check: (world, act, told) => order(world.api, { ...jobOn(world, act), kind: 'check', spec: {} }, told),
  prune: (world, act, told) => order(world.api, { ...jobOn(world, act), kind: 'prune', spec: {} }, told),
  async cancel({ api }, { pick }) {
    const jobId = await someJob(api, ['queued', 'accepted', 'running'], pick)
    return jobId === undefined ? undefined : askUntilAnswered(() => api.jobs.cancel.mutate({ jobId }))
  },
  async retry({ api }, { pick }, told) {
    const jobId = await someJob(api, ['failed', 'incomplete', 'cancelled'], pick)
    if (jobId === undefined) return undefined
    const requestId = newId()
    const answer = await askUntilAnswered(() => api.jobs.retry.mutate({ requestId, jobId }))
    if (answer.is === 'answered') told.push({ by: requestId, jobIds: [answer.value.jobId] })
    return answer
  },
  async 'run-now'({ api }, { pick }, told) {
    const schedule = await someSchedule(api, pick)
    if (schedule === undefined) return undefined
    const wish = { requestId: newId(), scheduleId: schedule.id }
    const answer = await askUntilAnswered(() => api.schedules.runNow.mutate(wish))
    if (answer.is === 'answered') told.push({ by: wish.requestId, jobIds: answer.value.jobIds })
    return answer
  },
  async 'schedule-create'(world, { pick, more }) {
    const place = placeOf(world, pick)
    return planOn(world.api, place, more)
  },
  async 'schedule-edit'({ api }, { pick, more }) {
    const seen = await someSchedule(api, pick)
    if (seen === undefined) return undefined
    const { id: scheduleId, version } = seen
    const schedule = draftOf(
      { hostId: seen.hostId, repositoryId: seen.schedule.repositoryIds[0] ?? '' },
      more,
    )
    return askUntilAnswered(() => api.schedules.update.mutate({ scheduleId, version, schedule }))
  },
  async 'schedule-pause'({ api }, { pick }) {
    const seen = await someSchedule(api, pick)
    if (seen === undefined) return undefined
    const { id: scheduleId, version, schedule } = seen
    const enabled = !schedule.enabled
    return askUntilAnswered(() => api.schedules.setEnabled.mutate({ scheduleId, version, enabled }))
  },
  async 'schedule-remove'({ api }, { pick }) {
    const seen = await someSchedule(api, pick)
    if (seen === undefined) return undefined
    const { id: scheduleId, version } = seen
    return askUntilAnswered(() => api.schedules.remove.mutate({ scheduleId, version }))
  },
  async 'repository-edit'(world, { pick, more }) {
    const { repositoryId } = placeOf(world, pick)
    const { api, places } = world
    const read = await askUntilAnswered(() => api.repositories.get.query({ repositoryId }))
    if (read.is !== 'answered') return read
    const { name, url, version, mayDelete } = read.value
    const hostIds = places.filter(place => place.repositoryId === repositoryId).map(({ hostId }) => hostId)
    const edit = { repositoryId, version, url, mayDelete, hostIds, maintenanceHostId: hostIds[0] }
    const renamed = `${name.replace(/ .*/, '')} ${Math.floor(more * 1_000)}`
    return askUntilAnswered(() =>
      api.repositories.update.mutate({ ...edit, name: renamed, acceptsRisk: true }),
    )
  },
}

const placeOf = ({ places }: ChaosWorld, pick: number) => chosen(places, pick) as Place
const jobOn = (world: ChaosWorld, { pick }: Act) => ({ requestId: newId(), ...placeOf(world, pick) })
const backupOn = (world: ChaosWorld, act: Act) => ({
  ...jobOn(world, act),
  kind: 'backup' as const,
  spec: { paths: ['/etc/hostname'] },
})

type Wish = Parameters<Api['jobs']['run']['mutate']>[0]

async function order(api: Api, wish: Wish, told: Told[]) {
  const answer = await askUntilAnswered(() => api.jobs.run.mutate(wish))
  if (answer.is === 'answered') told.push({ by: wish.requestId, jobIds: [answer.value.jobId] })
  return answer
}

type Statuses = NonNullable<Parameters<Api['jobs']['list']['query']>[0]['statuses']>

async function someJob(api: Api, statuses: Statuses, pick: number): Promise<string | undefined> {
  const page = await askUntilAnswered(() => api.jobs.list.query({ statuses, limit: 50 }))
  return page.is === 'answered' ? chosen(page.value.rows, pick)?.id : undefined
}

async function someSchedule(api: Api, pick: number) {
  const list = await askUntilAnswered(() => api.schedules.list.query({}))
  return list.is === 'answered' ? chosen(list.value, pick) : undefined
}

/** Plans a backup on a place, as `fraction` draws it. */
export async function planOn(api: Api, place: Place, fraction: number): Promise<Answer<unknown>> {
  const wish = { requestId: newId(), hostId: place.hostId, schedule: draftOf(place, fraction) }
  return askUntilAnswered(() => api.schedules.create.mutate(wish))
}

/** Mostly every minute: no other timetable comes due in a short run. Spread, so that fires meet every fault. */
function draftOf({ repositoryId }: Place, fraction: number): ScheduleDraft {
  const chance = chanceOf(Math.floor(fraction * 2 ** 32))
  const cron = chance.pick(['* * * * *', '* * * * *', '* * * * *', '*/2 * * * *', '7 3 * * *'])
  const manual = chance.happens(0.1)
  return {
    name: `plan ${chance.between(1, 1_000_000_000)}`,
    kind: 'backup',
    repositoryIds: [repositoryId],
    ...(manual ? {} : { cron }),
    timeZone: chance.pick(['UTC', 'Europe/Berlin', 'Asia/Kathmandu']),
    paths: ['/etc/hostname'],
    enabled: true,
    manual,
    catchUp: chance.pick(['once', 'none']),
    overlap: chance.pick(['skip', 'queue']),
    jitterSeconds: chance.pick([0, 5, 15, 29]),
    ...(chance.happens(0.3) ? { retry: { count: 2, delaySeconds: 2 } } : {}),
  }
}
