// I5: nothing stays open for ever. Once faults and load are over, all of this becomes empty; what does not is shown.
import { glance, shownBy, type Check, type World } from './world.ts'
import { missingOutcomes } from './slots.ts'
import type { Violation } from './evidence.ts'

/** A fact that is younger may be on its way: the list of snapshots is told some time after the end of its job. */
const YOUNG_MS = 10_000

export const checkQuiet: Check = world => listOpen(world, Date.now() - YOUNG_MS)

async function listOpen(world: World, factsUntil: number): Promise<Violation[]> {
  const { hosts, repositories } = await readStanding(world)
  const hostState = new Map(hosts.map(host => [host.id, host]))
  const connected = new Set(world.evidence.connectedHostIds)
  const jobs = [...world.jobs.values()]
  const open = jobs.filter(({ status }) => ['queued', 'accepted', 'running'].includes(status))
  const lost = jobs.filter(({ status, hostId }) => status === 'lost' && connected.has(hostId))
  const wishes = jobs.filter(
    row =>
      row.cancelRequestedAt !== null && !row.reported && row.acceptedAt !== null && connected.has(row.hostId),
  )
  const short = jobs.filter(
    row => row.lastLogSeq !== null && row.nextLogSeq <= row.lastLogSeq && !row.logRemoved,
  )
  return [
    ...shownBy('I5', 'A job has no end.', open.map(glance)),
    ...shownBy('I5', 'A job counts as lost, and its host is connected and could say.', lost.map(glance)),
    ...shownBy(
      'I5',
      'A job was to be cancelled, and its host has not said how it ended.',
      wishes.map(glance),
    ),
    ...shownBy(
      'I5',
      'A part of a log never arrived.',
      short.map(({ id, hostId, nextLogSeq, lastLogSeq }) => ({ id, hostId, nextLogSeq, lastLogSeq })),
    ),
    ...untold(world, factsUntil),
    ...shownBy(
      'I5',
      'A host is connected and not shown as online.',
      [...connected]
        .filter(id => hostState.get(id)?.online !== true)
        .map(id => ({ hostId: id, shown: hostState.get(id) })),
    ),
    ...shownBy(
      'I5',
      'A host is quarantined.',
      hosts.filter(({ quarantinedAt }) => quarantinedAt !== null),
    ),
    ...shownBy(
      'I5',
      'A connected host has not applied the plan or the configuration it was given.',
      hosts.filter(host => connected.has(host.id) && host.drift),
    ),
    ...shownBy('I5', 'Progress is shown of a job that has ended.', repositories),
  ]
}

/** What agents still hold: facts that are not acked, jobs without an end, and parts of logs. */
function untold({ books, evidence }: World, factsUntil: number): Violation[] {
  const connected = new Set(evidence.connectedHostIds)
  const here = books.filter(book => connected.has(book.hostId))
  const facts = here.flatMap(({ hostId, facts }) =>
    facts
      .filter(({ acked, setAside, writtenAt }) => !acked && setAside === null && writtenAt <= factsUntil)
      .map(({ name, lane, seq, message }) => ({ hostId, name, lane, seq, jobId: message['jobId'] })),
  )
  const jobs = here.flatMap(({ hostId, jobs }) =>
    jobs
      .filter(({ state }) => ['accepted', 'starting', 'running'].includes(state))
      .map(job => ({ hostId, job })),
  )
  const logs = here
    .filter(({ logBytes }) => logBytes > 0)
    .map(({ hostId, logBytes }) => ({ hostId, logBytes }))
  return [
    ...shownBy('I5', 'A fact was never acked.', facts),
    ...shownBy('I5', 'An agent still holds a job without an end.', jobs),
    ...shownBy('I5', 'An agent still holds parts of a log.', logs),
  ]
}

type HostRow = { id: string; name: string; online: boolean; quarantinedAt: Date | null; drift: boolean }

async function readStanding({ sql }: World) {
  const [hosts, repositories] = await Promise.all([
    sql<HostRow[]>`
      select id, name, online, quarantined_at as "quarantinedAt",
        applied_schedule_version <> schedule_version or applied_config_version <> config_version as drift
      from hosts where removed_at is null`,
    sql`select job_id as "jobId", status from job_progress join jobs on jobs.id = job_progress.job_id where jobs.reported`,
  ])
  return { hosts: [...hosts], repositories: [...repositories] }
}

/** What is still under way, as the violations it would be if it stayed so. Cheap enough to ask again and again. */
export async function listUnquiet(world: World): Promise<Violation[]> {
  return [
    ...(await listOpen(world, Infinity)),
    ...shownBy('I5', 'A slot that has come has no outcome yet.', missingOutcomes(world)),
  ]
}
