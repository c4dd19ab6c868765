// The host's side of the small world: its real decision, and what surrounds that on disk and in the runner.
import { decideSlot, mayRunAlone, type SlotDecision, type SlotKnown } from '@restic-manager/agent/testing'
import type { JobStatus } from '@restic-manager/contract/job'
import {
  both,
  longest,
  periods,
  repositoriesOf,
  slotTimes,
  spread,
  wall,
  type HostJob,
  type HostSlot,
  type RepositoryAt,
  type Rules,
  type SlotAt,
  type World,
} from './model-state.ts'

export const jobOf = ({ host }: World, slot: SlotAt, repository: RepositoryAt) =>
  host.jobs[slot]?.[repository] ?? null
export const slotOf = ({ host }: World, slot: SlotAt): HostSlot => host.slots[slot]

export function enter(world: World, slot: SlotAt, repository: RepositoryAt, job: Omit<HostJob, 'age'>) {
  const { host } = world
  const row = host.jobs[slot]
  if (row !== undefined) row[repository] = { ...job, age: 0 }
  if (job.state === 'accepted') host.line.push([slot, repository])
}

export function end(
  world: World,
  slot: SlotAt,
  repository: RepositoryAt,
  status: JobStatus,
  reason?: string,
) {
  const { host } = world
  const job = jobOf(world, slot, repository)
  if (job === null || (job.state !== 'accepted' && job.state !== 'starting')) return
  Object.assign(job, { state: 'ended', status })
  host.line = host.line.filter(([s, r]) => s !== slot || r !== repository)
  host.facts.push({ name: 'finished', slot, repository, status, ...(reason === undefined ? {} : { reason }) })
}

/** No slot later than this is told as missed. */
function trustedThrough(world: World): number {
  const { heardSkew } = world.host
  if (heardSkew === null) return Infinity
  const skew = world.isLinked ? world.skew : heardSkew
  if (Math.abs(skew) <= periods.skewTrusted) return Infinity
  return world.isLinked ? world.step : wall(world) - heardSkew
}

export const isNewest = (world: World, slot: SlotAt) =>
  world.host.stopped !== null || slot === 1 || wall(world) < slotTimes[1]

/** Counts the slots that have come, as `countSlots` does. */
function count(world: World, rules: Rules): void {
  const { catchUp } = rules
  const { host } = world
  if (host.stopped !== null) return
  const now = wall(world)
  const come = both.filter(slot => slotTimes[slot] <= now && slotOf(world, slot).state === 'none')
  const isInTime = (slot: SlotAt) => slotTimes[slot] > now - periods.late - spread - 1
  const arm = (slot: SlotAt) => Object.assign(slotOf(world, slot), { state: 'armed', age: 0 })
  for (const slot of come.filter(isInTime)) arm(slot)
  const late = come.filter(slot => !isInTime(slot))
  const newest = late.at(-1)
  if (newest === undefined) return
  if (!come.some(isInTime) && isNewest(world, newest) && catchUp === 'once') arm(newest)
  const missed = late.filter(
    slot => slotOf(world, slot).state === 'none' && slotTimes[slot] <= trustedThrough(world),
  )
  if (missed.length > 0) tellNotRun(world, missed, [...repositoriesOf(rules)], 'missed', 'host_was_off')
}

function tellNotRun(
  world: World,
  slots: SlotAt[],
  repositories: RepositoryAt[],
  outcome: 'missed' | 'skipped',
  reason: string,
) {
  for (const slot of slots) Object.assign(slotOf(world, slot), { state: 'done', outcome, reason })
  world.host.facts.push({ name: 'notRun', slots, repositories, outcome, reason })
}

function knownOf(world: World, rules: Rules, at: SlotAt): SlotKnown {
  const { host } = world
  const slot = slotOf(world, at)
  const isWanted = (repository: RepositoryAt) => {
    const decision = slot.answer?.[repository]?.decision ?? 'queued'
    return (decision === 'queued' || decision === 'duplicate') && jobOf(world, at, repository) === null
  }
  const open = repositoriesOf(rules)
    .filter(isWanted)
    .map(repository => ({
      repositoryId: String(repository),
      mayRunAlone: mayRunAlone(rules.kind, { mayDelete: repository === 0 }, slot.state as SlotKnown['state']),
    }))
  const other = at === 0 ? 1 : 0
  const isOtherOpen = host.line.some(([line]) => line === other)
  const { state } = slotOf(world, other)
  const isOtherFired = (state === 'asked' || state === 'answered') && open.some(each => each.mayRunAlone)
  return {
    state: slot.state as SlotKnown['state'],
    slot: slotTimes[at],
    fireAt: slotTimes[at] + spread,
    waitedMs: slot.age,
    isNewest: isNewest(world, at),
    open,
    stopped: host.stopped ?? undefined,
    catchUp: rules.catchUp,
    overlap: rules.overlap,
    busy: slot.state === 'armed' && (isOtherOpen || isOtherFired) ? 1 : 0,
  }
}

function decideAll(world: World, rules: Rules): void {
  for (let hasMoved = true; hasMoved;) {
    hasMoved = false
    for (const at of both) {
      const { state } = slotOf(world, at)
      if (state === 'none' || state === 'done') continue
      const known = knownOf(world, rules, at)
      const { linkDown, hasWoken } = world.host
      const decision = decideSlot(known, {
        now: wall(world),
        linkDownMs: linkDown ?? undefined,
        hasWoken,
        trustedThrough: trustedThrough(world),
        timing: periods,
      })
      if (decision.do === 'wait') continue
      act(world, at, known, decision)
      hasMoved = true
    }
  }
}

function act(world: World, at: SlotAt, known: SlotKnown, decision: SlotDecision): void {
  const { host } = world
  const slot = slotOf(world, at)
  const move = (state: HostSlot['state'], more: object = {}) =>
    Object.assign(slot, { state, age: 0, ...more })
  const ask = () => {
    host.facts.push({ name: 'ask', slot: at })
    move('asked')
  }
  const close = (decided: string[]) => {
    if (known.open.some(each => !decided.includes(each.repositoryId))) return
    host.facts = host.facts.filter(fact => fact.name !== 'ask' || fact.slot !== at)
    move('done', { outcome: 'fired' })
  }
  switch (decision.do) {
    case 'ask':
      return ask()
    case 'settle':
      return void move('done', { outcome: 'fired' })
    case 'notRun':
      return tellNotRun(world, [at], known.open.map(repositoryOf), decision.outcome, decision.reason)
    case 'giveUp':
      for (const repository of decision.repositoryIds.map(Number) as RepositoryAt[]) {
        enter(world, at, repository, { state: 'ended', status: 'cancelled' })
        host.facts.push({
          name: 'finished',
          slot: at,
          repository,
          status: 'cancelled',
          reason: decision.reason,
        })
      }
      return close(decision.repositoryIds)
    case 'runAlone': {
      if (decision.ask && slot.state === 'armed') ask()
      const repositories = decision.repositoryIds.map(Number) as RepositoryAt[]
      for (const repository of repositories)
        enter(world, at, repository, { state: 'accepted', proceed: true })
      host.facts.push({ name: 'own', slot: at, repositories })
      return close(decision.repositoryIds)
    }
  }
}

const repositoryOf = ({ repositoryId }: { repositoryId: string }) => Number(repositoryId) as RepositoryAt

/** One look at everything, as the loops of the agent do after whatever happens. */
export function look(world: World, rules: Rules): void {
  const { host } = world
  if (!host.isUp || host.isAsleep) return
  count(world, rules)
  decideAll(world, rules)
  host.hasWoken = false
  for (const [slot, repository] of [...host.line]) {
    const job = jobOf(world, slot, repository)
    if (job?.state === 'accepted' && (job.cancelled || job.proceed === false))
      end(world, slot, repository, 'cancelled', 'cancelled_by_operator')
  }
}

/** A step of the steady clock. */
export function age({ host }: World): void {
  const older = (age: number) => Math.min(age + 1, longest)
  if (host.linkDown !== null) host.linkDown = older(host.linkDown)
  for (const slot of host.slots)
    if (slot.state === 'asked' || slot.state === 'answered') slot.age = older(slot.age)
  for (const job of host.jobs.flat())
    if (job?.state === 'accepted' && job.proceed === undefined) job.age = older(job.age)
}

/** Forgets what nothing depends on any more, so that states which differ in nothing else are one. */
export function tidy({ host }: World): void {
  for (const slot of host.slots) if (slot.state !== 'asked' && slot.state !== 'answered') slot.age = 0
  for (const job of host.jobs.flat())
    if (job !== null && (job.state !== 'accepted' || job.proceed !== undefined)) job.age = 0
}
