// I6: every planned slot ends, for each of its repositories, in exactly one recorded outcome.
import { slotsBetween } from '@restic-manager/contract/cron'
import { slotJobId, toSlot } from '@restic-manager/contract/slots'
import { outcomesOf } from './facts.ts'
import type { PlanNote } from './watch.ts'
import { glance, shownBy, type Check, type JobRow, type World } from './world.ts'

/** A time in which it is beyond doubt by which timetable slots count. */
type Period = { cron: string; timeZone: string; from: Date; through: Date }

export const checkSlots: Check = world => {
  const all = [...outcomesOf(world)]
  return [
    ...shownBy('I6', 'A slot has no outcome on a repository of its schedule.', missingOutcomes(world)),
    ...shownBy(
      'I6',
      'A slot has more than one outcome on a repository.',
      all.flatMap(([, rows]) => doubled(rows)),
    ),
    ...shownBy('I6', 'A slot counts as not run, and it ran.', ranAndSkipped(world)),
    ...shownBy(
      'I6',
      'A slot has another id than its own, or is none.',
      all.flatMap(([, rows]) => rows.flatMap(misnamed)),
    ),
    ...shownBy(
      'I6',
      'A range says another number of slots than it holds.',
      all.flatMap(([scheduleId, rows]) => miscounted(periodsOf(world, scheduleId), rows)),
    ),
    ...shownBy(
      'I6',
      'A timetable that has not changed began to count anew.',
      [...world.plans].flatMap(restarted),
    ),
  ]
}

/** Slots for which nothing stands, of repositories that the schedule always had. */
export function missingOutcomes(world: World): unknown[] {
  return [...world.plans].flatMap(([scheduleId, notes]) => {
    const rows = Map.groupBy(outcomesOf(world).get(scheduleId) ?? [], row => row.repositoryId)
    const repositoryIds = always(notes.map(note => note.repositoryIds))
    return periodsOf(world, scheduleId).flatMap(({ cron, timeZone, from, through }) =>
      slotsBetween({ cron, timeZone }, from, through).flatMap(slot =>
        repositoryIds
          .filter(id => !(rows.get(id) ?? []).some(row => spans(row, slot)))
          .map(repositoryId => ({ scheduleId, slot, repositoryId })),
      ),
    )
  })
}

/** From when counting began until somebody edited the timetable: what came after that, the host may have counted either way. */
function periodsOf({ plans, evidence }: World, scheduleId: string): Period[] {
  const notes = plans.get(scheduleId) ?? []
  const periods: Period[] = []
  let open: Period | undefined
  for (const note of notes) {
    const { countedCron: cron, countedTimeZone: timeZone, countedFrom } = note
    const agrees = cron !== null && note.isLive && cron === note.cron && timeZone === note.timeZone
    if (open !== undefined && !(agrees && isSame(open, note))) {
      open.through = earlier(open.through, note.editedAt)
      open = undefined
    }
    // Where an edit was taken back before its host heard of it, counting just went on: that time is left out of the question.
    if (
      open === undefined &&
      agrees &&
      timeZone !== null &&
      countedFrom !== null &&
      !periods.some(past => isSame(past, note))
    ) {
      open = { cron, timeZone, from: countedFrom, through: evidence.until }
      periods.push(open)
    }
  }
  return periods
}

const isSame = (period: Period, note: PlanNote) =>
  period.cron === note.countedCron &&
  period.timeZone === note.countedTimeZone &&
  period.from.getTime() === note.countedFrom?.getTime()

const earlier = (a: Date, b: Date) => (a < b ? a : b)
const always = (lists: readonly string[][]) =>
  (lists[0] ?? []).filter(id => lists.every(list => list.includes(id)))

const spanOf = (row: JobRow) => {
  const to = row.scheduledFor?.getTime() ?? Number.NaN
  return { from: row.notRunFrom?.getTime() ?? to, to }
}

function spans(row: JobRow, slot: Date): boolean {
  const { from, to } = spanOf(row)
  return from <= slot.getTime() && slot.getTime() <= to
}

function doubled(rows: readonly JobRow[]): unknown[] {
  return [...Map.groupBy(rows, row => row.repositoryId).values()].flatMap(mine => {
    const sorted = mine.toSorted((a, b) => spanOf(a).from - spanOf(b).from || spanOf(a).to - spanOf(b).to)
    const met: unknown[] = []
    let widest = sorted[0]
    for (const row of sorted.slice(1)) {
      if (widest !== undefined && spanOf(row).from <= spanOf(widest).to)
        met.push([glanceRange(widest), glanceRange(row)])
      if (widest === undefined || spanOf(row).to > spanOf(widest).to) widest = row
    }
    return met
  })
}

const glanceRange = (row: JobRow) => ({
  ...glance(row),
  notRunFrom: row.notRunFrom,
  repositoryId: row.repositoryId,
})

function ranAndSkipped({ jobs, runs, books }: World): unknown[] {
  const begun = books.flatMap(book =>
    book.jobs.filter(job => (job.starts ?? 0) > 0).map(({ jobId }) => jobId),
  )
  return [...new Set([...runs.flatMap(run => run.runJobId ?? []), ...begun])].flatMap(id => {
    const row = jobs.get(id)
    return row !== undefined && ['skipped', 'missed', 'expired'].includes(row.status) ? glance(row) : []
  })
}

function misnamed(row: JobRow): unknown[] {
  const { scheduleId, scheduledFor, repositoryId, id } = row
  if (scheduleId === null || scheduledFor === null) return []
  const at = scheduledFor.toISOString()
  return at === toSlot(scheduledFor) && id === slotJobId(scheduleId, at, repositoryId) ? [] : [glance(row)]
}

function miscounted(periods: readonly Period[], rows: readonly JobRow[]): unknown[] {
  return rows.flatMap(row => {
    if (row.notRunFrom === null) return []
    const { from, to } = spanOf(row)
    const period = periods.find(each => each.from.getTime() < from && to <= each.through.getTime())
    if (period === undefined) return []
    const count = slotsBetween(period, new Date(from - 1), new Date(to)).length
    return count === row.slotCount ? [] : [{ ...glanceRange(row), says: row.slotCount, holds: count }]
  })
}

function restarted([scheduleId, notes]: [string, PlanNote[]]): unknown[] {
  return notes.flatMap((note, at) => {
    const before = notes[at - 1]
    const isRestart =
      before !== undefined &&
      before.countedCron !== null &&
      before.countedCron === note.countedCron &&
      before.countedTimeZone === note.countedTimeZone &&
      before.countedFrom?.getTime() !== note.countedFrom?.getTime()
    return isRestart ? [{ scheduleId, before, note }] : []
  })
}
