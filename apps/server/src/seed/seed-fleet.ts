// Fills a database with a believable fleet and its records, in one transaction: all of it is there, or nothing.
import { sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { hosts } from '../db/schema.ts'
import type { Seal } from '../db/seal.ts'
import { raiseAlert } from '../fleet/alerts.ts'
import { keepAttention } from '../fleet/attention.ts'
import { rebuildOutcomes } from '../fleet/outcomes.ts'
import { readPlans } from '../fleet/plans.ts'
import { type Chance, makeChance } from './chance.ts'
import { putJobs, putSnapshots } from './jobs.ts'
import { type PlannedHost, planHosts, type PlannedRepository, planRepositories } from './plan.ts'
import {
  type PlacedRepository,
  putAccess,
  putHosts,
  putRepositories,
  putSchedules,
  putSizes,
} from './rows.ts'
import { planSchedules } from './schedules.ts'

export type SeedWish = {
  hosts: number
  jobs: number
  seed: number
  days: number
  /** How long servers take the fleet's word for being online: nobody is there to send heartbeats. */
  onlineHours: number
  /** To a database that holds hosts already. */
  add?: boolean
  now?: Date
  /** Hears what is being done. */
  note?: (sentence: string) => void
}

/** What was made. */
export type Seeded = {
  hosts: number
  repositories: number
  schedules: number
  jobs: number
  snapshots: number
}

const HOUR_MS = 3_600_000

/** Makes the fleet of a seed. The same wish at the same time makes the same rows. Throws a sentence when hosts are there already. */
export async function seedFleet(db: Db, seal: Seal, wish: SeedWish): Promise<Seeded> {
  const { note = () => {}, now = new Date(), days } = wish
  const chance = makeChance(wish.seed)
  return db.transaction(async tx => {
    const [held] = await tx.select({ id: hosts.id }).from(hosts).limit(1)
    if (held !== undefined && wish.add !== true)
      throw new Error('This database holds hosts already. Name an empty one, or say --add.')
    await tx.execute(sql`set local statement_timeout = 0`)
    await tx.execute(sql`set local synchronous_commit = off`)
    await tx.execute(sql`set local maintenance_work_mem = '256MB'`)
    await tx.execute(sql`set local work_mem = '256MB'`)

    note(`planning ${wish.hosts} hosts`)
    const plannedRepositories = planRepositories(chance, wish.hosts)
    const fleet = planHosts(chance, plannedRepositories, { count: wish.hosts, days })
    const placed = place(chance, plannedRepositories, fleet, wish)
    const schedules = planSchedules(chance, fleet, plannedRepositories, {
      ...{ jobs: wish.jobs, days },
      maintenance: at => placed[at]?.maintenanceHostId ?? null,
    })
    const since = new Date(now.getTime() - (days + 7) * 24 * HOUR_MS)
    await putHosts(tx, fleet, {
      now,
      days,
      onlineUntil: new Date(now.getTime() + wish.onlineHours * HOUR_MS),
    })
    await putRepositories(tx, seal, { placed, chance, now, days })
    await putAccess(tx, fleet, placed)
    await putSchedules(tx, schedules, placed, { chance, since })
    note(`recording ${wish.jobs} jobs`)
    const indexes = wish.jobs > 50_000 ? await liftIndexes(tx) : []
    const running = Math.max(2, Math.round(fleet.length / 400))
    await tx.execute(sql`alter table jobs disable trigger user`)
    const jobs = await putJobs(tx, { ...wish, hosts: fleet, placed, schedules, now, running })
    note('building the indexes of jobs')
    for (const index of indexes) await tx.execute(sql.raw(index))
    await tx.execute(sql`analyze jobs`)
    note('mirroring snapshots')
    await putSnapshots(tx, { now, days })
    note('adding up')
    await tx.execute(sql`alter table jobs enable trigger user`)
    await putSizes(tx, { placed, now, days: Math.max(90, days) })
    await rebuildOutcomes(tx)
    await readPlans(tx)
    await raiseOfStates(tx, fleet)
    await keepAttention(tx)
    const [counted] = await tx.execute<{ snapshots: number }>(sql`
      select count(*)::integer as snapshots from snapshots where host_id in (select id from seed_hosts)`)
    await tx.execute(sql`analyze`)
    return {
      ...{ hosts: fleet.length, repositories: placed.length, schedules: schedules.length, jobs },
      snapshots: counted?.snapshots ?? 0,
    }
  })
}

/** Each repository gets its id, and for most a host that maintains it and does not back up there. */
function place(
  chance: Chance,
  planned: readonly PlannedRepository[],
  fleet: readonly PlannedHost[],
  { add = false, seed }: SeedWish,
): PlacedRepository[] {
  return planned.map((repository, at) => {
    const keepers = fleet.filter(
      host => host.state === 'online' && host.repository !== at && host.second !== at,
    )
    return {
      ...repository,
      id: chance.id(),
      // A name is there once: what is added to a fleet bears its seed.
      ...(add ? { name: `${repository.name}-${seed}` } : {}),
      maintenanceHostId: chance.percent(90)
        ? (keepers[chance.whole(0, keepers.length - 1)]?.id ?? null)
        : null,
    }
  })
}

/** Indexes that only make reading fast, taken away for the time of a bulk load. Answers what puts them back. */
async function liftIndexes(tx: Db): Promise<string[]> {
  const indexes = await tx.execute<{ name: string; definition: string }>(sql`
    select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
    from pg_index where indrelid = 'jobs'::regclass and not indisunique order by 1`)
  for (const { name } of indexes) await tx.execute(sql.raw(`drop index ${name}`))
  return indexes.map(({ definition }) => definition)
}

/** What a host's state alone raises. */
async function raiseOfStates(tx: Db, fleet: readonly PlannedHost[]) {
  for (const { id, state } of fleet) {
    const about = { subject: id, hostId: id }
    if (state === 'quarantined')
      await raiseAlert(tx, {
        ...about,
        kind: 'host_cloned',
        sentence:
          'Two machines use the identity of this host, perhaps because its disk was copied. Both are shut out until it is released or removed.',
      })
    if (state === 'waiting')
      await raiseAlert(tx, {
        ...about,
        kind: 'host_waiting',
        sentence:
          'It was enrolled with a token that asks for approval. Compare its fingerprint, then let it in.',
      })
  }
}
