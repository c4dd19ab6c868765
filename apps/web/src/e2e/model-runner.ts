// What a host of the small world does with its jobs: what happens to it, what it is told, and what it tells.
import { isTooLate } from '@restic-manager/agent/testing'
import { end, enter, isNewest, jobOf, slotOf } from './model-host.ts'
import {
  periods,
  slotTimes,
  spread,
  wall,
  type ModelAnswer,
  type ModelFact,
  type RepositoryAt,
  type Rules,
  type SlotAt,
  type World,
} from './model-state.ts'

/** The machine was away, or its clock was set ahead: what did not begin may be too late now. */
export function wake(world: World, rules: Rules): void {
  const { host } = world
  host.hasWoken = true
  for (const [slot, repository] of [...host.line]) {
    const job = jobOf(world, slot, repository)
    if (job?.state !== 'accepted' || job.elevated) continue
    const known = {
      fireAt: slotTimes[slot] + spread,
      isNewest: isNewest(world, slot),
      catchUp: rules.catchUp,
    }
    if (isTooLate(known, wall(world), periods.late)) end(world, slot, repository, 'cancelled', 'host_was_off')
  }
}

/** The agent is killed. What is on disk stays. */
export function crash(world: World): void {
  world.host.isUp = false
  world.host.heardSkew = null
}

/** The agent starts on what is on disk. */
export function restart(world: World, rules: Rules): void {
  const { host } = world
  host.isUp = true
  host.linkDown = 0
  for (const slot of host.slots) slot.age = 0
  wake(world, rules)
  for (const [slot, repository] of [...host.line]) {
    const job = jobOf(world, slot, repository)
    if (job?.state === 'starting') end(world, slot, repository, 'failed', 'agent_restarted')
    else if (job?.elevated) end(world, slot, repository, 'failed', 'access_forgotten')
  }
}

/** Which job could start now. */
export function startable(world: World, rules: Rules): [SlotAt, RepositoryAt] | undefined {
  const [first] = world.host.line
  const job = first && jobOf(world, ...first)
  if (first === undefined || job?.state !== 'accepted') return undefined
  const asksFirst = rules.kind === 'prune'
  const isAlone = !asksFirst && job.age >= periods.proceedAlone
  return job.proceed === true || (job.proceed === undefined && isAlone) ? first : undefined
}

/** restic is spawned. Throws when that job ever ran before. */
export function start(world: World, [slot, repository]: [SlotAt, RepositoryAt]): void {
  const job = jobOf(world, slot, repository)
  if (job === null || job.ran) throw new Error('a job starts twice')
  Object.assign(job, { state: 'starting', ran: true })
  world.host.facts.push({ name: 'started', slot, repository })
}

/** The job that runs, if any, comes to its end. */
export function finish(world: World, [slot, repository]: [SlotAt, RepositoryAt]): void {
  const isCancelled = jobOf(world, slot, repository)?.cancelled === true
  end(world, slot, repository, isCancelled ? 'cancelled' : 'succeeded')
}

/** An order arrives. */
export function takeOrder(world: World, rules: Rules, slot: SlotAt, repository: RepositoryAt): void {
  if (jobOf(world, slot, repository) !== null) return
  const { outcome, reason, answer } = slotOf(world, slot)
  const given = answer?.[repository]
  const against =
    outcome === 'missed' || outcome === 'skipped'
      ? reason
      : given?.reason === 'superseded'
        ? given.reason
        : undefined
  if (against === undefined)
    enter(world, slot, repository, {
      state: 'accepted',
      ...(rules.kind === 'prune' ? { elevated: true as const } : {}),
    })
  else enter(world, slot, repository, { state: 'refused' })
  world.host.facts.push({
    name: 'result',
    slot,
    repository,
    accepted: against === undefined,
    ...(against === undefined ? {} : { reason: against }),
  })
}

/** A cancel arrives. */
export function takeCancel(world: World, slot: SlotAt, repository: RepositoryAt): void {
  const job = jobOf(world, slot, repository)
  if (job === null) {
    enter(world, slot, repository, { state: 'ended', status: 'cancelled' })
    const reason = 'cancelled_by_operator'
    world.host.facts.push({ name: 'finished', slot, repository, status: 'cancelled', reason })
  } else if (job.state === 'accepted' || job.state === 'starting') job.cancelled = true
}

/** The fact that is told next: the newest fire, then what the server waits for, then the rest in its order. */
export function nextFact({ host }: World): ModelFact | undefined {
  return (
    host.facts.findLast(({ name }) => name === 'ask' || name === 'own') ??
    host.facts.find(({ name }) => name === 'result') ??
    host.facts[0]
  )
}

/** The server has committed a fact; `answer` is what it said to a question. */
export function takeAnswer(world: World, fact: ModelFact, answer: ModelAnswer[] | boolean | undefined): void {
  const { host } = world
  host.facts = host.facts.filter(each => each !== fact)
  if (fact.name === 'result' && typeof answer === 'boolean') {
    const job = jobOf(world, fact.slot, fact.repository)
    if (job?.state === 'accepted' && job.proceed !== true) job.proceed = answer
  }
  if (fact.name !== 'ask' || !Array.isArray(answer)) return
  const slot = slotOf(world, fact.slot)
  if (slot.state !== 'asked') return
  Object.assign(slot, { state: 'answered', age: 0, answer })
  const older = host.slots[0]
  if (fact.slot !== 1 || older.state !== 'answered') return
  older.answer = (older.answer ?? []).map((given, repository) =>
    answer[repository]?.decision === 'queued' && jobOf(world, 0, repository as RepositoryAt) === null
      ? { decision: 'skipped', reason: 'superseded' }
      : given,
  )
}
