// Puts a planned fleet into the tables: repositories with their secrets, hosts, access, schedules.
import { createHash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { hostRepositories, hosts, repositories, schedules } from '../db/schema.ts'
import { credentials } from '../db/schema-credentials.ts'
import { repositoryDays } from '../db/schema-outcomes.ts'
import type { Seal } from '../db/seal.ts'
import { columnsOf } from '../fleet/schedule-rows.ts'
import type { Chance } from './chance.ts'
import type { PlannedHost, PlannedRepository } from './plan.ts'
import type { PlannedSchedule } from './schedules.ts'

/** Rows of one statement. */
const BATCH = 500
const DAY_MS = 86_400_000

/** A repository with the id it has, and who maintains it. */
export type PlacedRepository = PlannedRepository & { id: string; maintenanceHostId: string | null }

const secretOf = (id: string, purpose: string) =>
  createHash('sha256').update(`${purpose} of ${id}`).digest('base64url')

/** Repositories and what opens them: sealed, though there is nothing behind. */
export async function putRepositories(
  tx: Db,
  seal: Seal,
  {
    placed,
    chance,
    now,
    days,
  }: { placed: readonly PlacedRepository[]; chance: Chance; now: Date; days: number },
): Promise<void> {
  for (const repository of placed) {
    const { id, name, kind, url, username, credential, mayDelete, maintenanceHostId } = repository
    const checkedDaysAgo = chance.percent(15) ? chance.whole(20, 45) : chance.whole(0, 6)
    await tx.insert(repositories).values({
      ...{ id, name, kind, url, mayDelete, maintenanceHostId },
      ...(username === undefined ? {} : { username }),
      resticId: createHash('sha256').update(id).digest('hex'),
      sizeBytes: repository.sizeBytes,
      dedupRatio: Math.round(repository.dedupRatio * 1_000),
      statsAt: new Date(now.getTime() - chance.whole(10, 600) * 60_000),
      lastCheckAt: new Date(now.getTime() - checkedDaysAgo * DAY_MS - chance.whole(0, 600) * 60_000),
      lastCheckStatus: chance.percent(3) ? 'damaged' : 'ok',
      ...lockOf(chance, now),
      createdAt: new Date(now.getTime() - (days + 30) * DAY_MS),
    })
    const secrets = {
      password: secretOf(id, 'password'),
      ...(credential === undefined ? {} : { everyday: credential }),
    }
    for (const [purpose, secret] of Object.entries(secrets) as ['password' | 'everyday', string][]) {
      const credentialId = chance.id()
      await tx.insert(credentials).values({
        ...{ id: credentialId, repositoryId: id, purpose },
        sealed: seal.seal(secret, { table: 'credentials', row: credentialId, column: 'sealed' }),
      })
    }
  }
}

/** A few have a lock that nobody holds any more. */
function lockOf(chance: Chance, now: Date) {
  if (!chance.percent(5)) return { lockState: 'unlocked' as const }
  const createdAt = new Date(now.getTime() - chance.whole(2, 80) * 3_600_000).toISOString()
  const lock = { hostname: 'decommissioned-01', pid: chance.whole(900, 60_000), createdAt, exclusive: true }
  return { lockState: 'locked' as const, locks: [lock] }
}

type Known = { now: Date; days: number; onlineUntil: Date }

const publicKeyOf = (id: string) => createHash('sha256').update(id).digest('base64url')

/** The hosts. Those that are online were last seen in time to come, or the first server would find them silent. */
export async function putHosts(tx: Db, planned: readonly PlannedHost[], known: Known): Promise<void> {
  const rows = planned.map(host => hostRow(host, known))
  for (let first = 0; first < rows.length; first += BATCH)
    await tx.insert(hosts).values(rows.slice(first, first + BATCH))
}

function hostRow(host: PlannedHost, { now, days, onlineUntil }: Known): typeof hosts.$inferInsert {
  const { id, name, state, habit, site, drifts } = host
  const before = (ago: number) => new Date(now.getTime() - ago * DAY_MS)
  const silentSince = before(habit.silentDays ?? 1)
  const isIn = state !== 'waiting'
  return {
    ...{
      id,
      name,
      hostname: name,
      publicKey: publicKeyOf(id),
      tags: host.tags,
      os: host.os,
      arch: host.arch,
    },
    ...{ timeZone: site.timeZone, enrolledAt: isIn ? before(days + 7) : before(0.2) },
    ...(isIn
      ? {
          ...{ agentVersion: host.agentVersion, resticVersion: host.resticVersion, protocolVersion: 1 },
          bootTime: before(days / 2),
          connectedAt: before(Math.min(2, days)),
          policy: { hooks: 'off' },
          ...{
            configVersion: 3,
            appliedConfigVersion: 3,
            configAppliedAt: before(days),
            scheduleAppliedAt: before(days),
          },
          ...{ scheduleVersion: drifts ? 5 : 4, appliedScheduleVersion: 4 },
        }
      : { awaitsApprovalSince: before(0.2) }),
    online: state === 'online',
    ...(state === 'online' ? { lastSeenAt: onlineUntil } : isIn ? { lastSeenAt: silentSince } : {}),
    ...(state === 'quarantined'
      ? {
          quarantinedAt: silentSince,
          quarantineReason:
            'Two machines use the identity of this host, perhaps because its disk was copied.',
        }
      : {}),
  }
}

/** Who may use which repository. */
export async function putAccess(
  tx: Db,
  planned: readonly PlannedHost[],
  placed: readonly PlacedRepository[],
): Promise<void> {
  const rows = planned.flatMap(({ id, repository, second }) =>
    [repository, second].flatMap(place => {
      const repositoryId = place === null ? undefined : placed[place]?.id
      return repositoryId === undefined ? [] : [{ hostId: id, repositoryId }]
    }),
  )
  for (let first = 0; first < rows.length; first += 2 * BATCH)
    await tx
      .insert(hostRepositories)
      .values(rows.slice(first, first + 2 * BATCH))
      .onConflictDoNothing()
}

/** The schedules. Nobody counts their slots: what is recorded stays as it is while the fleet is looked at. */
export async function putSchedules(
  tx: Db,
  planned: readonly PlannedSchedule[],
  placed: readonly PlacedRepository[],
  { chance, since }: { chance: Chance; since: Date },
): Promise<void> {
  const rows = planned.map(({ id, hostId, draft, repositories: places }) => ({
    ...{ id, hostId, ...columnsOf(draft), createdAt: since, updatedAt: since },
    repositoryIds: places.flatMap(place => placed[place]?.id ?? []),
    ...(chance.percent(0.3)
      ? {
          rejectedCode: 'invalid_time_zone',
          rejectedReason: `The zone data of this host does not know ${draft.timeZone}.`,
        }
      : {}),
  }))
  for (let first = 0; first < rows.length; first += BATCH)
    await tx.insert(schedules).values(rows.slice(first, first + BATCH))
  await tx.execute(sql`analyze schedules, hosts`)
}

/** What each repository held on each day: it grows, and now and then a prune takes some of it away. */
export async function putSizes(
  tx: Db,
  { placed, now, days }: { placed: readonly PlacedRepository[]; now: Date; days: number },
): Promise<void> {
  for (const { id, sizeBytes, growth } of placed) {
    const rows = Array.from({ length: days + 1 }, (_, back) => ({
      repositoryId: id,
      day: new Date(now.getTime() - back * DAY_MS).toISOString().slice(0, 10),
      sizeBytes: Math.round(sizeBytes * (1 - (growth * back) / 30 + (back % 7) * 0.002)),
    }))
    await tx.insert(repositoryDays).values(rows)
  }
}
