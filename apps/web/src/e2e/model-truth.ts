// What must be true in the small world once everything is well again.
import { hasEnded } from '@restic-manager/contract/job-ended'
import { rowOf } from './model-server.ts'
import { both, repositoriesOf, slotTimes, type Rules, type World } from './model-state.ts'

/** What must be true of a story once everything is well again and every period has gone by. */
export function complaintsAbout(world: World, rules: Rules): string[] {
  return both.flatMap(slot =>
    repositoriesOf(rules).flatMap(repository => complaintsAboutSlot(world, rules, slot, repository)),
  )
}

function complaintsAboutSlot(world: World, rules: Rules, slot: 0 | 1, repository: 0 | 1): string[] {
  const { host, server } = world
  const name = `slot ${slot} on repository ${repository}`
  const row = rowOf(world, slot, repository)
  const later = slot === 0 ? rowOf(world, 1, repository) : null
  const isInRange = later?.from === 0
  const job = host.jobs[slot]?.[repository]
  const isExpected = slotTimes[slot] <= (server.countedThrough ?? Infinity)
  const complaints: string[] = []
  if (row === null && !isInRange) {
    if (isExpected || host.slots[slot].state !== 'none') complaints.push(`${name} has no outcome`)
    if (job) complaints.push(`${name} has a job on the host and none on the server`)
    return complaints
  }
  if (row !== null && isInRange) complaints.push(`${name} has two outcomes`)
  if (job?.ran && (row === null || row.from !== undefined || row.status !== job.status || !row.reported))
    complaints.push(
      `${name} ran and ended ${job.status}, and the records say ${row?.status ?? later?.status}`,
    )
  if (row !== null && !hasEnded(row.status)) complaints.push(`${name} stays ${row.status}`)
  // Only what the server decided itself may stand without a word of the host.
  if (row !== null && !row.reported && row.status !== 'skipped')
    complaints.push(`${name} is left as a guess: ${row.status}`)
  if (host.slots[slot].state !== 'done')
    complaints.push(`${name} is left ${host.slots[slot].state} on the host`)
  // A link that is cut, a server that hangs and answers that are lost are no reason for a backup not to run.
  // What waits for the server may give way to a newer slot.
  const mayGiveWay = rules.kind !== 'backup' && (row?.status === 'skipped' || row?.status === 'cancelled')
  if (!world.isExcused && row?.status !== 'succeeded' && !mayGiveWay)
    complaints.push(`${name} did not run, for no good reason: ${row?.status} ${row?.reason}`)
  return complaints
}
