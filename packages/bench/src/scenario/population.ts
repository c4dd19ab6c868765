// How a fleet settles: hosts join, get repositories, and a plan whose slot comes for all of them at once or spread.
import { newId } from '@restic-manager/contract/ids'
import type { SimulatedBehaviour } from '../simulator/agent-options.ts'
import type { SimulatedFleet } from '../simulator/fleet.ts'
import type { Timing } from '@restic-manager/contract/timing'
import type { Api } from '../../../../scripts/operator.ts'
import type { Ground } from './ground.ts'
import type { Watch } from './watch.ts'

/** Uses of one token at most. */
const MOST_USES = 1_000
const HOSTS_OF_A_REPOSITORY = 25
/** Calls that go to the server as one. */
const CALLS_AT_ONCE = 32
/** One address may make 12,000 calls in a minute, and who joins and comes in makes three. */
const ONE_ADDRESS_EVERY_MS = 20
const MINUTE = 60_000

export type Settling = {
  ground: Ground
  fleet: SimulatedFleet
  watch: Watch
  behaviour: SimulatedBehaviour
  timing: Partial<Timing>
  oneAddress: boolean
}

/** Enrols all and waits until each is in. */
export async function settle({ ground, fleet, watch, behaviour, timing, oneAddress }: Settling) {
  const { agents } = fleet
  watch.note(`enrolling ${agents} agents`)
  const tokens = ground.tokens.length > 0 ? ground.tokens : await makeTokens(ground.api, agents)
  const eachFromItsOwn = !oneAddress && ground.isHere && process.platform === 'linux'
  const run = newId().slice(0, 4)
  await watch.whileWorking(
    fleet.join({
      ...{ urls: ground.urls, tokens, timing, behaviour, eachFromItsOwn },
      everyMs: eachFromItsOwn ? 0 : ONE_ADDRESS_EVERY_MS,
      nameOf: number => `fleet-sim-${run}-${String(number).padStart(5, '0')}`,
    }),
  )
  await watch.untilAllIn()
}

async function makeTokens(api: Api | undefined, agents: number): Promise<string[]> {
  if (api === undefined) throw new Error('Without a token or an admin nobody can enrol.')
  const tokens: string[] = []
  for (let left = agents; left > 0; left -= MOST_USES) {
    const wish = { requestId: newId(), maxUses: Math.min(MOST_USES, agents), tags: ['fleet-sim'] }
    tokens.push((await api.enrolments.create.mutate(wish)).token)
  }
  return tokens
}

/** Gives each host a repository, 25 hosts on one. Answers them in the order of the hosts. */
export async function giveRepositories(api: Api, hostIds: readonly string[]): Promise<string[]> {
  const run = newId().slice(0, 4)
  const groups = Array.from({ length: Math.ceil(hostIds.length / HOSTS_OF_A_REPOSITORY) }, (_, group) =>
    hostIds.slice(group * HOSTS_OF_A_REPOSITORY, (group + 1) * HOSTS_OF_A_REPOSITORY),
  )
  const made = await inBatches(groups, (group, number) =>
    api.repositories.create.mutate({
      ...{ requestId: newId(), name: `fleet-sim-${run}-${number}`, url: `/srv/fleet-sim-${run}-${number}` },
      ...{ password: 'fleet-sim', hostIds: group },
    }),
  )
  return groups.flatMap((group, number) => group.map(() => made[number]?.repositoryId ?? ''))
}

/** Where each host keeps its backups. */
export type Place = { hostId: string; repositoryId: string }

/**
 * Plans one backup a day for each host, all in the same minute, which is chosen so that every plan is there before. `jitterSeconds`:
 * how far the hosts spread after it. Answers the slot.
 */
export async function planBackups(
  api: Api,
  places: readonly Place[],
  { jitterSeconds, watch }: { jitterSeconds: number; watch: Watch },
): Promise<Date> {
  const planOne = ({ hostId, repositoryId }: Place, cron: string) =>
    api.schedules.create.mutate({
      requestId: newId(),
      hostId,
      schedule: {
        ...{ name: 'fleet-sim', kind: 'backup', repositoryIds: [repositoryId], cron, timeZone: 'UTC' },
        ...{
          paths: ['/data'],
          enabled: true,
          manual: false,
          catchUp: 'once',
          overlap: 'skip',
          jitterSeconds,
        },
      },
    })
  // The first few show how long the rest will take. They come once a year, and then with the others.
  const first = places.slice(0, 2 * CALLS_AT_ONCE)
  const began = Date.now()
  const early = await inBatches(first, place => planOne(place, '0 0 29 2 *'))
  const eachMs = (Date.now() - began) / first.length
  const readyAt = Date.now() + 1.5 * eachMs * places.length + 20_000
  const slot = new Date(Math.ceil(readyAt / MINUTE) * MINUTE)
  const cron = `${slot.getUTCMinutes()} ${slot.getUTCHours()} * * *`
  watch.note(`planning ${places.length} backups at ${slot.toISOString()}`)
  const rest = await watch.whileWorking(inBatches(places.slice(first.length), place => planOne(place, cron)))
  const { schedules } = api
  await inBatches(early, async ({ scheduleId }) => {
    const { version, schedule } = await schedules.get.query({ scheduleId })
    return schedules.update.mutate({ scheduleId, version, schedule: { ...schedule, cron } })
  })
  await watch.until('every plan at its host', ({ planned }) => planned >= early.length + rest.length)
  if (Date.now() > slot.getTime() - 2_000)
    throw new Error(
      `Planning took longer than it should: the slot ${slot.toISOString()} came before the last plan.`,
    )
  return slot
}

async function inBatches<T, R>(
  all: readonly T[],
  work: (each: T, number: number) => Promise<R>,
): Promise<R[]> {
  const done: R[] = []
  for (let from = 0; from < all.length; from += CALLS_AT_ONCE) {
    const batch = all.slice(from, from + CALLS_AT_ONCE)
    done.push(...(await Promise.all(batch.map((each, at) => work(each, from + at)))))
  }
  return done
}
