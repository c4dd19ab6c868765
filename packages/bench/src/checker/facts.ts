// I2: what any agent holds as acked is in the database: counted in its spool, and standing in the rows it speaks of.
import { slotJobId } from '@restic-manager/contract/slots'
import type { AgentBook, BookFact } from './books.ts'
import { shownBy, type Check, type JobRow, type World } from './world.ts'

export const checkFacts: Check = async world => {
  const counts = await readSpools(world)
  const mirror = await readMirror(world)
  const known = await readKnown(world)
  const lost: unknown[] = []
  const uncounted: unknown[] = []
  for (const book of world.books) {
    for (const fact of book.facts.filter(({ acked }) => acked)) {
      const counted = counts.get(`${book.hostId} ${fact.epoch} ${fact.lane}`) ?? 0
      if (fact.seq > counted) uncounted.push({ hostId: book.hostId, ...brief(fact), counted })
      const why = missingOf(world, known, book, fact)
      if (why !== undefined) lost.push({ hostId: book.hostId, ...brief(fact), why })
    }
    lost.push(...wrongMirrors({ book, mirror, known }))
  }
  const takenBack = world.evidence.restoredFromDump
    ? []
    : world.evidence.simulated.flatMap(({ hostId, acksTakenBack }) =>
        acksTakenBack.map(each => ({ hostId, ...each })),
      )
  return [
    ...shownBy('I2', 'An acked fact is beyond what the database has counted of its spool.', uncounted),
    ...shownBy('I2', 'An acked fact does not stand in the rows it speaks of.', lost),
    ...shownBy('I2', 'The server took acks back: they did not mean committed.', takenBack),
    ...shownBy('I2', 'A fact was turned away for good.', setAside(world)),
  ]
}

const brief = ({ name, epoch, lane, seq, message }: BookFact) => ({
  name,
  epoch,
  lane,
  seq,
  jobId: message['jobId'],
})

const setAside = ({ books }: World) =>
  books.flatMap(({ hostId, facts }) =>
    facts
      .filter(fact => fact.setAside !== null)
      .map(fact => ({ hostId, fact: brief(fact), why: fact.setAside })),
  )

async function readSpools({ sql }: World): Promise<Map<string, number>> {
  const rows = await sql<{ hostId: string; epoch: string; first: number; rest: number }[]>`
    select host_id as "hostId", epoch, acked_first::float8 as first, acked_rest::float8 as rest from spools`
  return new Map(
    rows.flatMap(({ hostId, epoch, first, rest }) => [
      [`${hostId} ${epoch} first`, first],
      [`${hostId} ${epoch} rest`, rest],
    ]),
  )
}

type Known = { schedules: Map<string, string[]>; links: Set<string>; maintained: Set<string> }

/** Which schedules there are, with their repositories; which hosts have access to which repositories; which are maintained. */
async function readKnown({ sql }: World): Promise<Known> {
  const schedules = await sql<{ id: string; repositoryIds: string[] }[]>`
    select id, repository_ids as "repositoryIds" from schedules`
  const links = await sql<
    { link: string }[]
  >`select host_id || ' ' || repository_id as link from host_repositories`
  const maintained = await sql<
    { id: string }[]
  >`select id from repositories where maintenance_host_id is not null`
  return {
    schedules: new Map(schedules.map(({ id, repositoryIds }) => [id, repositoryIds])),
    links: new Set(links.map(({ link }) => link)),
    maintained: new Set(maintained.map(({ id }) => id)),
  }
}

/** Why a fact cannot be said to stand in the database; undefined: it does. */
function missingOf(
  world: World,
  known: Known,
  book: AgentBook,
  { name, message }: BookFact,
): string | undefined {
  const told = message as { jobId: string; scheduleId: string; scheduledAt: string; repositoryIds: string[] }
  switch (name) {
    case 'command.result':
    case 'job.started':
    case 'job.finished': {
      const row = world.jobs.get(told.jobId)
      if (row === undefined) return mayLackRow(world, name, message) ? undefined : 'there is no such job'
      if (row.hostId !== book.hostId) return `the job belongs to host ${row.hostId}`
      return wordMissing(name, message, row)
    }
    case 'schedule.fire': {
      const jobs = message['jobs'] as { jobId: string }[] | undefined
      if (jobs !== undefined && message['decidedBy'] === 'agent')
        return jobs.every(({ jobId }) => world.jobs.has(jobId) || !known.schedules.has(told.scheduleId))
          ? undefined
          : 'a job that its host ran by itself is not there'
      return slotIsSpokenOf(world, known, told) ? undefined : 'nothing speaks of the slot'
    }
    case 'schedule.notRun': {
      const to = String(message['to'])
      const missing = told.repositoryIds.filter(
        id => !isCovered(world, { scheduleId: told.scheduleId, repositoryId: id, at: to }),
      )
      return missing.length === 0 ? undefined : `nothing speaks of the slot ${to} on ${missing.join(', ')}`
    }
    default:
      return undefined
  }
}

/** A job that did not run needs no row where its slot was told as not run already, and one of an unknown kind never gets one. */
function mayLackRow(world: World, name: string, message: Record<string, unknown>): boolean {
  const ran = name === 'job.started' || message['accepted'] === true
  const { scheduleId, scheduledAt, repositoryId } = message as Record<string, string | undefined>
  if (ran || scheduleId === undefined || scheduledAt === undefined || repositoryId === undefined) return false
  return isCovered(world, { scheduleId, repositoryId, at: scheduledAt })
}

function wordMissing(name: string, message: Record<string, unknown>, row: JobRow): string | undefined {
  const differs = (what: string, there: unknown, said: unknown) =>
    there === said ? undefined : `its ${what} is ${String(there)}, and ${String(said)} was told`
  if (name === 'command.result')
    return message['accepted'] === true || row.reported || row.status === 'skipped'
      ? undefined
      : 'it was turned down, and the row has no end'
  if (name === 'job.started')
    return row.startedAt === null
      ? 'the row does not know that it started'
      : differs('command', row.command, message['command'])
  return (
    (row.reported ? undefined : 'the end is not marked as reported') ??
    differs('status', row.status, message['status']) ??
    differs('exit code', row.exitCode, message['exitCode'] ?? null) ??
    differs('last log number', row.lastLogSeq, message['lastLogSeq'])
  )
}

function slotIsSpokenOf(
  world: World,
  known: Known,
  { scheduleId, scheduledAt }: { scheduleId: string; scheduledAt: string },
) {
  const repositoryIds = known.schedules.get(scheduleId)
  if (repositoryIds === undefined || repositoryIds.length === 0) return true
  return (
    outcomesOf(world)
      .get(scheduleId)
      ?.some(row => holds(row, scheduledAt)) === true
  )
}

function isCovered(
  world: World,
  { scheduleId, repositoryId, at }: { scheduleId: string; repositoryId: string; at: string },
): boolean {
  return (
    world.jobs.has(slotJobId(scheduleId, at, repositoryId)) ||
    outcomesOf(world)
      .get(scheduleId)
      ?.some(row => row.repositoryId === repositoryId && holds(row, at)) === true
  )
}

const holds = ({ notRunFrom, scheduledFor }: JobRow, at: string) =>
  scheduledFor !== null &&
  (notRunFrom ?? scheduledFor).getTime() <= Date.parse(at) &&
  Date.parse(at) <= scheduledFor.getTime()

const outcomes = new WeakMap<World, Map<string, JobRow[]>>()

/** The rows that say what became of slots, by schedule. */
export function outcomesOf(world: World): Map<string, JobRow[]> {
  const before = outcomes.get(world)
  if (before !== undefined) return before
  const rows = [...world.jobs.values()].filter(
    row => row.retryOf === null && row.scheduledFor !== null && row.scheduleId !== null,
  )
  const made = Map.groupBy(rows, row => String(row.scheduleId))
  outcomes.set(world, made)
  return made
}

/** The ids of the snapshots the mirror holds of a host in a repository. */
async function readMirror({ sql }: World): Promise<Map<string, Set<string>>> {
  const rows = await sql<{ place: string; ids: string[] }[]>`
    select host_id || ' ' || repository_id as place, array_agg(id) as ids from snapshots where host_id is not null group by 1`
  return new Map(rows.map(({ place, ids }) => [place, new Set(ids)]))
}

type Page = {
  repositoryId: string
  reportId: string
  scope: string
  page: number
  pages: number
  snapshots: { id: string }[]
}

/** The list a host reported last is the list the mirror holds, where no other host may have said more. */
function wrongMirrors({
  book,
  mirror,
  known,
}: {
  book: AgentBook
  mirror: Map<string, Set<string>>
  known: Known
}) {
  const reports = book.facts.filter(fact => fact.name === 'snapshots.report' && fact.acked)
  const byRepository = Map.groupBy(reports, ({ message }) => String(message['repositoryId']))
  return [...byRepository].flatMap(([repositoryId, facts]) => {
    const place = `${book.hostId} ${repositoryId}`
    if (known.maintained.has(repositoryId) || !known.links.has(place)) return []
    const byReport = [...Map.groupBy(facts, ({ message }) => String(message['reportId'])).values()]
    const newest = byReport
      .map(pages => pages.map(({ message, seq }) => ({ ...(message as unknown as Page), seq })))
      .filter(
        pages => pages[0]?.scope === 'own' && new Set(pages.map(({ page }) => page)).size === pages[0].pages,
      )
      .toSorted((a, b) => Math.max(...a.map(({ seq }) => seq)) - Math.max(...b.map(({ seq }) => seq)))
      .at(-1)
    if (newest === undefined) return []
    const told = new Set(newest.flatMap(page => page.snapshots.map(({ id }) => id)))
    const held = mirror.get(place) ?? new Set<string>()
    const missing = [...told].filter(id => !held.has(id))
    const surplus = [...held].filter(id => !told.has(id))
    return missing.length + surplus.length === 0
      ? []
      : [{ hostId: book.hostId, repositoryId, reportId: newest[0]?.reportId, missing, surplus }]
  })
}
