// The server's side of the small world: its real decisions, and what its statements do to the rows.
import { type JobStatus, nextStatuses, provisionalStatuses } from '@restic-manager/contract/job'
import { decideFire, decideOwnRun } from '@restic-manager/server/testing'
import {
  both,
  periods,
  repositoriesOf,
  slotTimes,
  spread,
  type ModelAnswer,
  type ModelFact,
  type RepositoryAt,
  type Row,
  type Rules,
  type SlotAt,
  type World,
} from './model-state.ts'

export const rowOf = ({ server }: World, slot: SlotAt, repository: RepositoryAt): Row | null =>
  server.rows[slot]?.[repository] ?? null

function put(world: World, slot: SlotAt, repository: RepositoryAt, row: Row | null): void {
  const rows = world.server.rows[slot]
  if (rows !== undefined) rows[repository] = row
}

/** What the server infers or wishes. Throws where the table forbids it, or a reported end would change. */
function move(row: Row, to: JobStatus, change: Partial<Row> = {}): void {
  const isNext = (nextStatuses[row.status] as readonly JobStatus[]).includes(to)
  if (row.reported || !(isNext || row.status === to))
    throw new Error(`${row.status}${row.reported ? ', reported,' : ''} became ${to}`)
  Object.assign(row, { status: to, ...change })
}

/** What a host tells: it replaces whatever was only a guess, and nothing that was told as the end. */
function tell(row: Row, to: JobStatus, change: Partial<Row> = {}): void {
  const isGuess = (provisionalStatuses as readonly JobStatus[]).includes(row.status)
  const isNext = (nextStatuses[row.status] as readonly JobStatus[]).includes(to)
  if (!row.reported && (isGuess || isNext)) Object.assign(row, { status: to, ...change })
}

const blank = { reported: false, reason: null, cancelWished: false, isAccepted: false }

/** The range that covers a slot without being its own row. */
const rangeOver = (world: World, slot: SlotAt, repository: RepositoryAt) => {
  const row = slot === 0 ? rowOf(world, 1, repository) : null
  return row?.from === 0 ? row : undefined
}

/** The server commits a fact. Answers what the host is told; the same for a repeat. */
export function commit(world: World, rules: Rules, fact: ModelFact): ModelAnswer[] | boolean | undefined {
  switch (fact.name) {
    case 'ask': {
      const answer = repositoriesOf(rules).map(repository => decide(world, rules, fact.slot, repository))
      keepNewest(world, fact.slot)
      return answer
    }
    case 'own':
      for (const repository of fact.repositories) recordOwnRun(world, fact.slot, repository)
      for (const repository of both) {
        const row = rowOf(world, fact.slot, repository)
        if (row?.status === 'missed' && !row.reported && !fact.repositories.includes(repository))
          put(world, fact.slot, repository, null)
      }
      return void keepNewest(world, fact.slot)
    case 'notRun':
      return void recordRange(world, fact)
    case 'result':
      return answerResult(world, fact)
    case 'started': {
      const row = hold(world, fact.slot, fact.repository)
      tell(row, 'running', { isAccepted: true, reason: null })
      return undefined
    }
    case 'finished': {
      const row = hold(world, fact.slot, fact.repository)
      tell(row, fact.status, { reported: true, reason: fact.reason ?? null })
      return undefined
    }
  }
}

/** The row of a job, made when nobody here heard of it. */
function hold(world: World, slot: SlotAt, repository: RepositoryAt): Row {
  const known = rowOf(world, slot, repository)
  if (known !== null) return known
  const made: Row = { ...blank, status: 'queued', decidedBy: 'agent', elsewhere: false, released: true }
  put(world, slot, repository, made)
  return made
}

function keepNewest({ step, server }: World, slot: SlotAt): void {
  const at = slotTimes[slot]
  if (at <= step + periods.skewTrusted) server.newest = Math.max(server.newest ?? at, at)
}

function decide(world: World, rules: Rules, slot: SlotAt, repository: RepositoryAt): ModelAnswer {
  const { server, step } = world
  const row = rowOf(world, slot, repository) ?? undefined
  const elsewhere = rules.kind === 'forget' && repository === 1
  const newest = server.newest ?? -Infinity
  const ruling = decideFire({
    plan: server.plan,
    overlap: rules.overlap,
    newerFired: newest > slotTimes[slot] && newest <= step + periods.skewTrusted,
    row,
    notRun: rangeOver(world, slot, repository)?.reason ?? undefined,
    place: { elsewhere },
    busy:
      elsewhere &&
      both.some(other => ['accepted', 'running'].includes(rowOf(world, other, repository)?.status ?? '')),
  })
  const placed = { decidedBy: 'server', elsewhere, released: !elsewhere } as const
  if (ruling.do === 'skip') {
    if (row === undefined)
      put(world, slot, repository, { ...blank, ...placed, status: 'skipped', reason: ruling.reason })
    else if (row.status === 'missed' && !row.reported) move(row, 'skipped', { reason: ruling.reason })
  }
  if (ruling.do === 'queue') {
    supersede(world, slot, repository)
    if (row === undefined) put(world, slot, repository, { ...blank, ...placed, status: 'queued' })
    else if ((row.status === 'missed' || row.status === 'skipped') && !row.reported)
      move(row, 'queued', { ...blank, ...placed })
  }
  return {
    decision: ruling.decision,
    ...('reason' in ruling && ruling.reason !== undefined ? { reason: ruling.reason } : {}),
  }
}

/** An older slot's job that still waits gives way. */
function supersede(world: World, newer: SlotAt, repository: RepositoryAt): void {
  const older = newer === 1 ? rowOf(world, 0, repository) : null
  if (older?.status !== 'queued' || older.decidedBy !== 'server') return
  const isHeldElsewhere = older.elsewhere && !older.released
  move(older, 'skipped', { reason: 'superseded', cancelWished: older.cancelWished || !isHeldElsewhere })
}

function recordOwnRun(world: World, slot: SlotAt, repository: RepositoryAt): void {
  const row = rowOf(world, slot, repository) ?? undefined
  const ruling = decideOwnRun(row)
  const own = { decidedBy: 'agent', released: true, elsewhere: false } as const
  if (ruling.do === 'record') put(world, slot, repository, { ...blank, ...own, status: 'queued' })
  else if (row !== undefined && ruling.do === 'take') move(row, 'queued', { ...own, reason: null })
  else if (row !== undefined && ruling.do === 'mark') Object.assign(row, own)
  supersede(world, slot, repository)
}

function recordRange(world: World, fact: Extract<ModelFact, { name: 'notRun' }>): void {
  const newest = fact.slots.at(-1) ?? 0
  for (const repository of fact.repositories) {
    for (const slot of fact.slots) {
      const row = rowOf(world, slot, repository)
      const isGuess = row !== null && ['missed', 'skipped', 'queued'].includes(row.status) && !row.reported
      if (isGuess && !(row.elsewhere && row.released)) put(world, slot, repository, null)
    }
    if (rowOf(world, newest, repository) !== null) continue
    put(world, newest, repository, {
      ...{ ...blank, status: fact.outcome, reported: true, reason: fact.reason },
      ...{ decidedBy: 'server', elsewhere: false, released: false },
      ...(fact.slots.length > 1 ? { from: 0 as const } : {}),
    })
  }
}

function answerResult(world: World, fact: Extract<ModelFact, { name: 'result' }>): boolean {
  const row = hold(world, fact.slot, fact.repository)
  const isStopped = row.cancelWished || ['cancelled', 'expired', 'skipped'].includes(row.status)
  const proceed = fact.accepted && (row.isAccepted || !isStopped)
  if (proceed) {
    if (!row.reported && (nextStatuses[row.status] as readonly JobStatus[]).includes('accepted'))
      move(row, 'accepted', { isAccepted: true, reason: null })
  } else if (!fact.accepted && !row.reported) {
    const status = row.cancelWished || fact.reason === 'cancelled_by_operator' ? 'cancelled' : 'failed'
    tell(row, status, { reported: true, reason: fact.reason ?? null })
  }
  return proceed
}

/** What nobody has told of counts as missed for now. */
export function expectSlots(world: World, rules: Rules): void {
  const { server, step } = world
  for (const slot of both) {
    const isDue = step > slotTimes[slot] + spread + periods.late + periods.missedGrace
    if (isDue && slotTimes[slot] <= (server.countedThrough ?? Infinity)) expectSlot(world, rules, slot)
  }
}

function expectSlot(world: World, rules: Rules, slot: SlotAt): void {
  // A host that decided by itself spoke of every repository it knew of.
  if (both.some(repository => rowOf(world, slot, repository)?.decidedBy === 'agent')) return
  for (const repository of repositoriesOf(rules)) {
    if (rowOf(world, slot, repository) !== null || rangeOver(world, slot, repository)) continue
    const guess = { decidedBy: 'server', elsewhere: false, released: false } as const
    put(world, slot, repository, { ...blank, ...guess, status: 'missed', reason: 'not_reported' })
  }
}

/** The host has applied that the schedule fires no more: what came before is expected at once, what comes after never. */
export function takeAck(world: World, rules: Rules, appliedAt: number): void {
  const through = Math.min(appliedAt, world.step)
  for (const slot of both) {
    if (slotTimes[slot] <= through) expectSlot(world, rules, slot)
    for (const repository of both) {
      const row = rowOf(world, slot, repository)
      if (slotTimes[slot] > appliedAt && row?.status === 'missed' && !row.reported)
        put(world, slot, repository, null)
    }
  }
  world.server.countedThrough = through
}

/** An operator cancels. */
export function cancel(row: Row): void {
  if (row.status === 'queued') move(row, 'cancelled', { reason: 'cancelled_by_operator' })
  row.cancelWished = true
}

/** Nobody claimed a job in time. */
export function expire(row: Row): void {
  move(row, 'expired', { reason: 'not_claimed', cancelWished: true })
}

/** The maintenance host of the repository runs a job of this schedule, or gives it up. */
export function runElsewhere(row: Row): void {
  if (row.cancelWished) tell(row, 'cancelled', { reported: true })
  else if (row.status === 'queued') tell(row, 'running', { released: true, isAccepted: true })
  else tell(row, 'succeeded', { reported: true })
}
