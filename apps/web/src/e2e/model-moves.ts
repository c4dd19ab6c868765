// What can happen next in the small world: what goes on by itself, and what goes wrong.
import { age } from './model-host.ts'
import {
  crash,
  finish,
  nextFact,
  restart,
  start,
  startable,
  takeAnswer,
  takeCancel,
  takeOrder,
  wake,
} from './model-runner.ts'
import { cancel, commit, expectSlots, expire, rowOf, runElsewhere, takeAck } from './model-server.ts'
import { both, clockError, lastStep, wall, type Rules, type World } from './model-state.ts'

/**
 * `isPrompt`: it takes no time, unless something is wrong. `isAlone`: in whichever order it and the others come, the world
 * is the same after, but for cancels, harms and their ends; so it comes first.
 */
export type Move = {
  name: string
  isHarm?: true
  isPrompt?: true
  isAlone?: true
  isCancel?: true
  /** No reason for a slot not to run. */
  isNoExcuse?: true
  apply(world: World): void
}

/** What may happen next. Harms are what goes wrong, and what an operator does meanwhile. Time waits for what is prompt. */
export function movesFrom(world: World, rules: Rules): Move[] {
  const things = [...hostMoves(world, rules), ...wireMoves(world, rules)]
  const isQuiet = !things.some(move => move.isPrompt)
  const moves = [...things, ...clockMoves(world, rules, isQuiet)]
  const harms = world.harmsLeft > 0 ? harmsTo(world, rules) : []
  const alone = moves.find(move => move.isAlone)
  const others = moves.filter(move => alone === undefined || move.isCancel || !move.isPrompt)
  return alone === undefined ? [...others, ...harms] : [alone, ...others, ...harms]
}

function clockMoves({ step, skew }: World, rules: Rules, isQuiet: boolean): Move[] {
  const moves: Move[] = []
  if (step < lastStep && isQuiet)
    moves.push({
      name: 'time goes by',
      apply(world) {
        world.step += 1
        if (world.host.isUp && !world.host.isAsleep) age(world)
        if (isListening(world)) world.host.heardSkew = world.skew
        expectSlots(world, rules)
      },
    })
  if (skew !== 0) moves.push({ name: 'the clock is set right', apply: world => setClock(world, rules, 0) })
  return moves
}

function setClock(world: World, rules: Rules, skew: number): void {
  const isAhead = skew > world.skew
  world.skew = skew
  if (isAhead && world.host.isUp && !world.host.isAsleep) wake(world, rules)
}

const isListening = ({ isLinked, isStuck, host }: World) =>
  isLinked && !isStuck && host.isUp && !host.isAsleep

function hostMoves(world: World, rules: Rules): Move[] {
  const { host, isLinked } = world
  if (!host.isUp) return [{ name: 'the agent starts', apply: next => restart(next, rules) }]
  if (host.isAsleep)
    return [
      {
        name: 'the machine wakes',
        apply(next) {
          next.host.isAsleep = false
          wake(next, rules)
        },
      },
    ]
  const moves: Move[] = []
  if (world.isCut) moves.push({ name: 'there can be a link again', apply: next => void (next.isCut = false) })
  else if (!isLinked) moves.push({ name: 'the link is back', isPrompt: true, apply: dial })
  if (world.isSlow) moves.push({ name: 'restic is quick again', apply: next => void (next.isSlow = false) })
  if (world.isStuck)
    moves.push({ name: 'the server answers again', apply: next => void (next.isStuck = false) })
  const [first] = host.line
  const ready = startable(world, rules)
  if (ready)
    moves.push({
      name: `job ${ready.join('/')} starts`,
      isPrompt: true,
      isAlone: true,
      apply: next => start(next, ready),
    })
  if (first && host.jobs[first[0]]?.[first[1]]?.state === 'starting')
    moves.push({
      name: `job ${first.join('/')} ends`,
      ...(world.isSlow ? {} : { isPrompt: true as const, isAlone: true as const }),
      apply: next => finish(next, first),
    })
  return moves
}

function wireMoves(world: World, rules: Rules): Move[] {
  const moves: Move[] = []
  for (const slot of both)
    for (const repository of both) {
      const row = rowOf(world, slot, repository)
      if (row?.elsewhere && !row.reported && ['queued', 'running', 'cancelled'].includes(row.status))
        moves.push({
          name: `the maintenance host goes on with ${slot}/${repository}`,
          apply: next => withRow(next, slot, repository, runElsewhere),
        })
    }
  if (!isListening(world)) return moves
  const { host, server } = world
  const fact = nextFact(world)
  if (fact !== undefined)
    moves.push({
      name: `the server hears and answers: ${fact.name}`,
      isPrompt: true,
      ...(fact.name === 'started' || fact.name === 'finished' ? { isAlone: true as const } : {}),
      apply(next) {
        const said = nextFact(next)
        if (said !== undefined) takeAnswer(next, said, commit(next, rules, said))
      },
    })
  if (server.plan !== 'live' && host.stopped === null)
    moves.push({
      name: 'the host applies the edit',
      isPrompt: true,
      apply(next) {
        next.host.stopped = server.plan === 'deleted' ? 'schedule_deleted' : 'schedule_paused'
        next.host.appliedAt = wall(next)
      },
    })
  const { appliedAt } = host
  if (appliedAt !== null)
    moves.push({
      name: 'the server hears that it is applied',
      isPrompt: true,
      apply(next) {
        takeAck(next, rules, appliedAt)
        next.host.appliedAt = null
      },
    })
  for (const slot of both)
    for (const repository of both) moves.push(...orderMoves(world, rules, slot, repository))
  return moves
}

function orderMoves(world: World, rules: Rules, slot: 0 | 1, repository: 0 | 1): Move[] {
  const row = rowOf(world, slot, repository)
  const job = world.host.jobs[slot]?.[repository]
  if (row === null || row.elsewhere || row.reported) return []
  const isOrdered = row.status === 'queued' && row.decidedBy === 'server' && row.released
  if (row.cancelWished)
    return job === null || ((job?.state === 'accepted' || job?.state === 'starting') && !job.cancelled)
      ? [
          {
            name: `cancel of ${slot}/${repository} arrives`,
            isPrompt: true,
            isCancel: true,
            apply: next => takeCancel(next, slot, repository),
          },
        ]
      : []
  return isOrdered && job === null
    ? [
        {
          name: `order of ${slot}/${repository} arrives`,
          isPrompt: true,
          apply: next => takeOrder(next, rules, slot, repository),
        },
      ]
    : []
}

function withRow(
  world: World,
  slot: 0 | 1,
  repository: 0 | 1,
  change: (row: NonNullable<ReturnType<typeof rowOf>>) => void,
) {
  const row = rowOf(world, slot, repository)
  if (row !== null) change(row)
}

function harmsTo(world: World, rules: Rules): Move[] {
  const { host, server, skew } = world
  const moves: Move[] = []
  const isAwake = host.isUp && !host.isAsleep
  if (!world.isCut)
    moves.push({
      name: 'the link is cut',
      isNoExcuse: true,
      apply(next) {
        next.isCut = true
        hangUp(next)
      },
    })
  if (isListening(world))
    moves.push({ name: 'the server hangs', isNoExcuse: true, apply: next => void (next.isStuck = true) })
  const fact = isListening(world) ? nextFact(world) : undefined
  if (fact !== undefined)
    moves.push({
      name: `the server hears, and its answer is lost: ${fact.name}`,
      isNoExcuse: true,
      apply(next) {
        const said = nextFact(next)
        if (said !== undefined) commit(next, rules, said)
      },
    })
  if (!world.isSlow) moves.push({ name: 'restic takes its time', apply: next => void (next.isSlow = true) })
  if (isAwake) {
    moves.push({
      name: 'the agent is killed',
      apply(next) {
        hangUp(next)
        crash(next)
      },
    })
    moves.push({
      name: 'the machine falls asleep',
      apply(next) {
        hangUp(next)
        next.host.isAsleep = true
      },
    })
  }
  if (skew === 0)
    for (const error of [clockError, -clockError])
      moves.push({
        name: `the clock is set ${error > 0 ? 'ahead' : 'back'}`,
        apply: next => setClock(next, rules, error),
      })
  if (server.plan === 'live')
    for (const plan of ['paused', 'deleted'] as const)
      moves.push({ name: `the schedule is ${plan}`, apply: next => void (next.server.plan = plan) })
  for (const slot of both)
    for (const repository of both) {
      const row = rowOf(world, slot, repository)
      if (row === null || row.cancelWished || row.reported) continue
      if (['queued', 'accepted', 'running'].includes(row.status))
        moves.push({
          name: `an operator cancels ${slot}/${repository}`,
          apply: next => withRow(next, slot, repository, cancel),
        })
      if (row.status === 'queued' && row.decidedBy === 'server' && row.released)
        moves.push({
          name: `${slot}/${repository} expires`,
          apply: next => withRow(next, slot, repository, expire),
        })
    }
  return moves.map(move => Object.assign(move, { isHarm: true as const }))
}

function dial(world: World): void {
  world.isLinked = true
  world.host.linkDown = null
  world.host.heardSkew = world.skew
}

function hangUp(world: World): void {
  world.isLinked = false
  world.isStuck = false
  world.host.linkDown ??= 0
}
