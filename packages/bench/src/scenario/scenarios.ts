// What a fleet goes through: a quiet day, midnight, a reconnect storm, a flood of logs, servers that restart one after another.
import type { SimulatedBehaviour } from '../simulator/agent-options.ts'
import { rounded } from '../measure/figure.ts'
import type { SimulatedFleet } from '../simulator/fleet.ts'
import type { Api } from '../../../../scripts/operator.ts'
import type { Ground } from './ground.ts'
import { planBackups, type Place } from './population.ts'
import type { Watch } from './watch.ts'

export type Stage = {
  ground: Ground
  fleet: SimulatedFleet
  watch: Watch
  /** Where hosts keep their backups; empty without somebody who may make repositories. */
  places: readonly Place[]
  /** How long the load goes on. */
  minutes: number
  /** How long agents are without a server in a storm, at least. */
  outageSeconds: number
  /** What is measured begins, and ends under a name. */
  begin(): Promise<void>
  end(name: string): Promise<void>
}

/** Seconds of its parts, by name. */
type Course = Record<string, number>

export type Scenario = {
  about: string
  /** Takes repositories or plans, and so somebody who may make them. */
  needsApi: boolean
  behaviour: SimulatedBehaviour
  play(stage: Stage): Promise<Course>
}

const usual: SimulatedBehaviour = { logLines: 20 }
/** Until a server that was restarted has seen its agents for long enough: links are cut spread over a few seconds. */
const LEAVING_MS = 5_000

export const scenarios = {
  steady: {
    about:
      'everybody is connected and backs up once, spread over the minutes; without an admin they only stay connected',
    needsApi: false,
    behaviour: usual,
    async play({ ground, fleet, watch, places, minutes, begin, end }) {
      if (ground.api === undefined || places.length === 0) {
        await begin()
        await watch.pause(minutes * 60_000)
        await end('connected')
        return { connected: minutes * 60 }
      }
      const jitterSeconds = Math.ceil(minutes * 60)
      const slot = await planBackups(ground.api, places, { jitterSeconds, watch })
      await watch.pause(slot.getTime() - Date.now() - 1_000)
      await begin()
      await watch.pause(1_000 + jitterSeconds * 1_000)
      await untilAllRan(fleet, watch)
      await end('a backup of each')
      return { 'slot until the last fact': secondsSince(slot.getTime()) }
    },
  },
  midnight: {
    about: 'the schedules of all hosts fire in the same second',
    needsApi: true,
    behaviour: usual,
    async play({ ground, fleet, watch, places, begin, end }) {
      const slot = await planBackups(ground.api as Api, places, { jitterSeconds: 0, watch })
      await watch.pause(slot.getTime() - Date.now() - 1_000)
      await begin()
      await untilAllRan(fleet, watch)
      await end('a backup of each at once')
      return { 'slot until the last fact': secondsSince(slot.getTime()) }
    },
  },
  storm: {
    about:
      'the servers are killed, or all links cut, and everybody comes back at once; then once more, with a backup each to tell of',
    needsApi: true,
    behaviour: usual,
    async play(stage) {
      const { fleet, watch, places, outageSeconds } = stage
      const first = await passStorm(stage, 'back with nothing to tell', async () => {})
      const second = await passStorm(stage, 'back with a backup each to tell', async downAt => {
        await fleet.work(places.map(({ repositoryId }) => repositoryId))
        const haveEnded = await watch.until(
          'all backups to end',
          ({ openJobs, jobs }) => jobs > 0 && openJobs === 0,
        )
        watch.note(`${haveEnded.waitingFacts} facts wait to be told`)
        await watch.pause(Math.max(0, downAt + outageSeconds * 1_000 - performance.now()))
      })
      return { ...first, ...second }
    },
  },
  'log-flood': {
    about: 'everybody runs a job at once that writes as many lines as --lines says',
    needsApi: true,
    behaviour: { logLines: 2_000, workMs: { least: 2_000, most: 20_000 } },
    async play({ fleet, watch, places, begin, end }) {
      await begin()
      const began = Date.now()
      await fleet.work(places.map(({ repositoryId }) => repositoryId))
      await watch.until('all jobs to begin', ({ jobs }) => jobs >= fleet.agents)
      await watch.untilQuiet()
      await end('the flood')
      return { 'until the last block': secondsSince(began) }
    },
  },
  'rolling-restart': {
    about: 'servers restart one after another under load; one that was not started here you restart yourself',
    needsApi: true,
    behaviour: usual,
    async play({ ground: { own }, fleet, watch, places, minutes, begin, end }) {
      const spreadMs = minutes * 60_000
      await fleet.countAnew()
      await begin()
      const began = Date.now()
      await fleet.work(
        places.map(({ repositoryId }) => repositoryId),
        spreadMs,
      )
      const course: Course = {}
      if (own === undefined) {
        watch.note(`restart your servers now, one after another; the load goes on for ${minutes} min`)
        await watch.pause(spreadMs)
      } else
        for (let which = 0; which < own.count; which += 1) {
          watch.note(`restarting server ${which + 1}`)
          const at = Date.now()
          await own.restart(which)
          course[`server ${which + 1} away`] = secondsSince(at)
          await watch.pause(LEAVING_MS)
          await watch.untilAllIn()
          course[`server ${which + 1} until all were in`] = secondsSince(at)
        }
      await watch.until('all backups to begin', ({ jobs }) => jobs >= fleet.agents)
      await watch.untilQuiet()
      await end('the restarts')
      return { ...course, 'until the last fact': secondsSince(began) }
    },
  },
} as const satisfies Record<string, Scenario>

export type ScenarioName = keyof typeof scenarios

const secondsSince = (moment: number) => rounded((Date.now() - moment) / 1_000)

/** One storm. `meanwhile` gets when the servers went. */
async function passStorm(
  { ground: { own, api }, fleet, watch, begin, end }: Stage,
  name: string,
  meanwhile: (downAt: number) => Promise<void>,
): Promise<Course> {
  watch.note(own === undefined ? 'cutting all links' : 'killing the servers')
  if (own === undefined) await fleet.cutOff()
  else await own.kill()
  const downAt = performance.now()
  await watch.until('all links to be gone', standing => standing.in === 0)
  await meanwhile(downAt)
  await fleet.countAnew()
  if (own === undefined) await fleet.reconnect()
  else await own.start()
  const readyAt = Date.now()
  const outage = rounded((performance.now() - downAt) / 1_000)
  await begin()
  watch.note(own === undefined ? 'the links may come back' : 'the servers are ready')
  await watch.untilAllIn()
  const allIn = secondsSince(readyAt)
  await untilOnline(api as Api, fleet.agents, watch)
  const online = secondsSince(readyAt)
  await watch.untilQuiet()
  await end(name)
  return {
    [`${name}: outage`]: outage,
    [`${name}: until all were in`]: allIn,
    [`${name}: until all were shown as online`]: online,
    [`${name}: until the last fact`]: secondsSince(readyAt),
  }
}

async function untilAllRan(fleet: SimulatedFleet, watch: Watch) {
  await watch.until('every backup to begin', ({ jobs }) => jobs >= fleet.agents)
  await watch.untilQuiet()
}

async function untilOnline(api: Api, agents: number, watch: Watch) {
  for (;;) {
    if ((await api.hosts.list.query({ limit: 1 })).counts.online === agents) return
    await watch.pause(250)
  }
}
