// A host without restic: it speaks the whole protocol, keeps its facts through crashes, and does harm on command. Thousands fit into one process.
import type { JobHeader } from '@restic-manager/contract/job'
import { timing as usualTiming } from '@restic-manager/contract/timing'
import type {
  LinkEvent,
  Random,
  SimulatedAgent,
  SimulatedAgentOptions,
  SimulatedBehaviour,
} from './agent-options.ts'
import { formatDisk, recordOf, type Disk } from './disk.ts'
import { enrol, makeId, makeKey, openDoor, type Door } from './join.ts'
import { Died, type Life } from './life.ts'
import { startRunner } from './runner.ts'
import { openSession } from './session.ts'
import { startSlots } from './slots.ts'
import { createTimerWheel } from './timer-wheel.ts'

const quiet: Required<SimulatedBehaviour> = {
  workMs: { least: 50, most: 1_000 },
  failing: 0,
  incomplete: 0,
  logLines: 40,
  repeatsFacts: 0,
  repeatsBlocks: 0,
  swapsBlocks: 0,
  firesTwice: 0,
  crashes: 0,
  speaksInOldSession: 0,
}

const wheel = createTimerWheel()

/** Enrols a simulated host with a token and starts it. Everything it does by chance comes out of `random`. */
export async function startSimulatedAgent(options: SimulatedAgentOptions): Promise<SimulatedAgent> {
  const { url, localAddress, token, hostname, random, onLink = () => {} } = options
  const timing = { ...usualTiming, ...options.timing }
  const key = makeKey(random)
  const door = openDoor({ url, localAddress, waitMs: timing.handshake + timing.answer })
  const hostId = await enrol(door, { token, hostname, key })
  const disk = formatDisk({ hostId, hostname, key, epoch: makeId(random) })
  let behaviour = { ...quiet, ...options.behaviour }
  let isStopped = false
  let isCutOff = false
  const live = () =>
    startLife({ disk, random, timing, door, onLink, behaviour: () => behaviour, onDeath: () => crash() })
  let now = live()
  now.start()

  function crash() {
    now.end()
    if (isStopped) return
    now = live()
    if (!isCutOff) now.start()
  }

  async function stop() {
    isStopped = true
    now.end()
  }

  const standing = () => ({
    planned: disk.plan.schedules.size,
    jobs: disk.jobs.size,
    openJobs: disk.open.size,
    waitingFacts: disk.waiting.first.length + disk.waiting.rest.length,
    unsentLogs: disk.unsent.size,
  })

  return {
    hostId,
    hostname,
    standing,
    record: () => recordOf(disk, now.isLinked()),
    isQuiet() {
      const { openJobs, waitingFacts, unsentLogs } = standing()
      return now.isLinked() && openJobs + waitingFacts + unsentLogs === 0
    },
    runAlone: header => now.runAlone(header),
    behave(wanted) {
      behaviour = { ...quiet, ...wanted }
    },
    cutOff() {
      isCutOff = true
      now.hangUp()
    },
    reconnect() {
      isCutOff = false
      now.start()
    },
    crash,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

type LifeParts = {
  disk: Disk
  random: Random
  timing: Life['timing']
  door: Door
  onLink: (event: LinkEvent) => void
  behaviour: Life['behaviour']
  onDeath(): void
}

function startLife({ disk, random, timing, door, onLink, behaviour, onDeath }: LifeParts) {
  let isOver = false
  let looking = false
  /** A slot may be a day away: what waits for one must not keep the process alive that long. */
  const waiting = new Set<() => void>()

  /** Every step of a life begins here. None happens after its end; in any of them it may die. */
  function enter(work: () => void) {
    if (isOver) return
    try {
      work()
    } catch (error) {
      if (!(error instanceof Died)) throw error
      onDeath()
    }
  }

  const life: Life = {
    ...{ disk, random, timing, behaviour },
    isOver: () => isOver,
    after(ms, work) {
      // What began before the end and goes on after it waits for nothing more.
      if (isOver) return () => {}
      const callOff = wheel.after(ms, () => {
        waiting.delete(callOff)
        enter(work)
      })
      waiting.add(callOff)
      return () => {
        waiting.delete(callOff)
        callOff()
      }
    },
    mayDie() {
      if (random() < behaviour().crashes) throw new Died('a simulated agent died')
    },
    link: () => session.link(),
    linkDownSince: () => session.downSince(),
    onFact: () => session.lanes()?.pumpFacts(),
    onLog: () => session.lanes()?.pumpLogs(),
    onChange() {
      if (looking) return
      looking = true
      life.after(0, () => {
        looking = false
        slots.look()
        runner.look()
      })
    },
  }
  const runner = startRunner(life)
  const slots = startSlots(life, runner)
  const session = openSession({ life, door, wheel, onLink, runner, slots, enter })
  life.onChange()
  return {
    start: () => session.start(),
    hangUp: () => session.end(),
    isLinked: () => session.link() !== undefined,
    runAlone: (header: JobHeader) =>
      enter(() => {
        if (runner.enterAlone(header)) life.onChange()
      }),
    end() {
      isOver = true
      for (const callOff of waiting) callOff()
      session.end()
    },
  }
}
