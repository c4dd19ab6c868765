// One run from its seed to its verdict: start, load and faults, heal, wait for quiet, check.
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeThrowAway } from '../../../scripts/processes.ts'
import { perform, planOn, type Told } from './acts.ts'
import { chanceOf } from './chance.ts'
import { checkEvidence, whatIsNotQuiet } from '@restic-manager/bench/checker/checker'
import { copyPrograms } from './copy-programs.ts'
import { countWhatWas, type Counts } from './counts.ts'
import type { Evidence, Violation } from '@restic-manager/bench/checker/evidence'
import { inflict, type Busy, type Harm } from './faults.ts'
import { askUntilAnswered } from './operator.ts'
import { healedGate } from './real-host.ts'
import { drawStory, type Act, type Fault, type FaultKind, type Story } from './story.ts'
import { checkTold } from './told.ts'
import { openWorld, type ChaosWorld } from './world.ts'

export type ChaosOptions = {
  seed: number
  minutes: number
  real: number
  simulated: number
  /** A checkout with built programs in it: this one when left out, else one with something broken in it. */
  checkout?: string
  /** What happens, for people. */
  note: (sentence: string) => void
  /** Ends the run early; what was started is ended and removed all the same. */
  signal: AbortSignal
  /** When the folder with everything in it stays: always, never, or after a run that broke a promise. */
  keep: 'always' | 'never' | 'broken'
}

export type ChaosResult = {
  seed: number
  minutes: number
  violations: Violation[]
  counts: Counts
  injected: Partial<Record<FaultKind, number>>
  acts: Partial<Record<string, number>>
  /** How long it took until everything was told and nothing ran. */
  quietAfterMs: number
  /** Where everything lies, when it was kept. */
  folder: string | undefined
}

/** Generous: what is not over by then never will be. */
const quietMs = 150_000
const sampleMs = 1_000

/** Runs a story and answers what was broken. Rejects when the world itself could not be made. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, minutes, note, signal } = options
  const story = drawStory(seed, minutes)
  const folder = await makeThrowAway('rm-chaos-')
  let isKept = options.keep === 'always'
  try {
    await using undo = new AsyncDisposableStack()
    const since = new Date()
    const entries = await copyPrograms(path.join(folder, 'programs'), options.checkout)
    const world = await openWorld({ ...options, entries, folder }, undo)
    const sampling = setInterval(() => void sampleMemory(world), sampleMs)
    undo.defer(() => clearInterval(sampling))

    const told: Told[] = []
    await planSome(world, seed)
    note(`${story.faults.length} faults and ${story.acts.length} acts in ${minutes} min`)
    const { injected, acts } = await play(world, story, { told, note, signal })
    signal.throwIfAborted()
    note('everything is healed; waiting for quiet')
    const healedAt = performance.now()
    await calm(world)
    const gather = () => gatherEvidence(world, since)
    await untilQuiet(gather, { note, signal })
    const quietAfterMs = Math.round(performance.now() - healedAt)
    note(`quiet after ${Math.round(quietAfterMs / 1_000)} s; checking`)
    const evidence = gather()
    const violations = [...(await checkEvidence(evidence)), ...(await checkTold(evidence.databaseUrl, told))]
    const counts = await countWhatWas(evidence)
    isKept ||= options.keep === 'broken' && violations.length > 0
    return {
      seed,
      minutes,
      violations,
      counts,
      injected,
      acts,
      quietAfterMs,
      folder: isKept ? folder : undefined,
    }
  } catch (error) {
    isKept ||= options.keep === 'broken' && !signal.aborted
    if (isKept) note(`everything lies in ${folder}`)
    throw error
  } finally {
    if (!isKept) await rm(folder, { recursive: true, force: true })
  }
}

/** A plan for every second host, before the first fault: slots that come due whatever happens. */
async function planSome({ api, places }: ChaosWorld, seed: number) {
  const chance = chanceOf(seed).branch('first plans')
  for (const [n, place] of places.entries()) {
    const fraction = chance.fraction()
    if (n % 2 === 0) await planOn(api, place, fraction)
  }
}

type Play = { told: Told[]; note: (sentence: string) => void; signal: AbortSignal }

/** Acts and faults at their times. Resolves when the time is over, every act was answered and every fault is healed. */
async function play(world: ChaosWorld, story: Story, { told, note, signal }: Play) {
  const startedAt = performance.now()
  const injected: Partial<Record<FaultKind, number>> = {}
  const acts: Partial<Record<string, number>> = {}
  const busy: Busy = new Set()
  const over = new AbortController()
  const untilTime = (atMs: number) =>
    sleep(Math.max(0, atMs - (performance.now() - startedAt)), undefined, { signal }).catch(() => {})

  const suffer = async (fault: Fault) => {
    const harm: Harm | undefined = await inflict(world, fault, busy)
    if (harm === undefined) return
    injected[fault.kind] = (injected[fault.kind] ?? 0) + 1
    note(`${seconds(startedAt)} ${fault.kind}${fault.lastsMs > 0 ? ` for ${fault.lastsMs} ms` : ''}`)
    const ended = AbortSignal.any([over.signal, signal])
    await sleep(fault.lastsMs, undefined, { signal: ended }).catch(() => {})
    await harm.heal()
  }
  const act = async (wish: Act) => {
    const answer = await perform(world, wish, told)
    const key = `${wish.kind} ${answer?.is ?? 'impossible'}`
    acts[key] = (acts[key] ?? 0) + 1
  }
  /** What failed here is a mistake of the runner, or a program that does not come back: no more happens then. */
  const failures: unknown[] = []
  const follow = async <T extends { atMs: number }>(row: readonly T[], step: (each: T) => Promise<void>) => {
    const going: Promise<void>[] = []
    for (const each of row) {
      await untilTime(each.atMs)
      if (signal.aborted || failures.length > 0) break
      going.push(step(each).catch((error: unknown) => void failures.push(error)))
    }
    await Promise.all(going)
  }

  const both = Promise.all([follow(story.faults, suffer), follow(story.acts, act)])
  await Promise.race([both, untilTime(story.minutes * 60_000)])
  over.abort()
  await both
  if (failures.length > 0) throw failures[0]
  return { injected, acts }
}

const seconds = (since: number) => `${((performance.now() - since) / 1_000).toFixed(1).padStart(5)} s`

/** No more load: hanging runs go on, simulated hosts behave, and no further slot comes. */
async function calm({ api, hosts, simulated }: ChaosWorld) {
  for (const { restic } of hosts) {
    restic.open(healedGate)
    restic.script({})
  }
  for (const { agent } of simulated) agent.behave({})
  const isAnyLive = async () => {
    const list = await askUntilAnswered(() => api.schedules.list.query({}), 60_000)
    if (list.is !== 'answered') throw new Error('no server answered although everything was healed')
    const live = list.value.filter(({ schedule }) => schedule.enabled)
    for (const { id: scheduleId, version } of live)
      await askUntilAnswered(() => api.schedules.setEnabled.mutate({ scheduleId, version, enabled: false }))
    return live.length > 0
  }
  while (await isAnyLive());
}

async function sampleMemory({ servers, hosts }: ChaosWorld) {
  await Promise.all([...servers, ...hosts.map(({ program }) => program)].map(program => program.sample()))
}

function gatherEvidence({ postgres, servers, hosts, simulated, secrets }: ChaosWorld, since: Date): Evidence {
  const programs = [...servers, ...hosts.map(({ program }) => program)]
  return {
    databaseUrl: postgres.url,
    realAgents: hosts.map(({ hostId, stateDir }) => ({ hostId, stateDir })),
    ledgerFolders: hosts.map(({ resticFolder }) => resticFolder),
    simulated: simulated.map(({ agent }) => agent.record()),
    connectedHostIds: [...hosts.map(({ hostId }) => hostId), ...simulated.map(({ agent }) => agent.hostId)],
    outputs: programs.map(program => ({ name: program.name, text: program.words() })),
    exits: programs.flatMap(program => program.exits()),
    memory: programs.flatMap(program => program.memory()),
    secrets: [...secrets],
    since,
    until: new Date(),
  }
}

/** Waits until nothing is under way. What still is at the end becomes a violation when it is checked. */
async function untilQuiet(
  gather: () => Evidence,
  { note, signal }: { note: (sentence: string) => void; signal: AbortSignal },
) {
  const deadline = performance.now() + quietMs
  let told = performance.now()
  for (;;) {
    signal.throwIfAborted()
    const open = await whatIsNotQuiet(gather())
    if (open.length === 0 || performance.now() > deadline) return
    if (performance.now() - told > 10_000) {
      told = performance.now()
      note(`not yet: ${open.map(({ sentence, rows }) => `${sentence} (${rows.length})`).join(' ')}`)
    }
    await sleep(500)
  }
}
