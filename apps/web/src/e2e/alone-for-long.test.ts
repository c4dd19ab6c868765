// Many slots of two hosts, while both and the server are killed and started again at random.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createTestClock, startAgent, type TestAgent, type TestClock } from '@restic-manager/agent/testing'
import { slotsBetween } from '@restic-manager/contract/cron'
import { newId } from '@restic-manager/contract/ids'
import { slotJobId } from '@restic-manager/contract/slots'
import { startServer, type TestServer } from '@restic-manager/server/testing'
import { fakeRestic, type FakeRestic } from '@restic-manager/testkit/fake-restic'
import { isLongRun } from '@restic-manager/testkit/restic'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { randomOf, seed } from './random-of.ts'

const start = '2026-01-15T00:00:00.000Z'
const minute = 60_000
/** Two hundred in all with `npm run test:long`. */
const slotsEach = isLongRun ? 100 : 10
const timetable = { cron: '*/10 * * * *', timeZone: 'UTC' }

type Player = {
  agent: TestAgent
  restic: FakeRestic
  repositoryId: string
  scheduleId: string
  isUp: boolean
}

async function join(server: TestServer, clock: TestClock, folder: string): Promise<Player> {
  const restic = fakeRestic(path.join(folder, newId()))
  const timing = { backoffBase: 20, backoffCap: 200 }
  const agent = await startAgent(server, { process: true, clock, restic: restic.path, timing })
  const { hostId } = agent
  const { repositoryId } = await server.api.repositories.create.mutate({
    ...{ requestId: newId(), name: `of ${hostId}`, url: path.join(folder, hostId), hostIds: [hostId] },
  })
  const { scheduleId } = await server.api.schedules.create.mutate({
    requestId: newId(),
    hostId,
    schedule: {
      ...{
        name: 'Often',
        kind: 'backup',
        repositoryIds: [repositoryId],
        ...timetable,
        paths: ['/etc/hostname'],
      },
      ...{ enabled: true, manual: false, catchUp: 'once', overlap: 'skip', jitterSeconds: 120 },
    },
  })
  await until(() => agent.status().plan?.schedules.length === 1)
  return { agent, restic, repositoryId, scheduleId, isUp: true }
}

test(`of ${2 * slotsEach} slots each ends in exactly one outcome, whoever is killed meanwhile (seed ${seed})`, async () => {
  const random = randomOf(seed)
  const draw = <T>(...choices: T[]) => choices[Math.floor(random() * choices.length)] as T
  const folder = await mkdtemp(path.join(tmpdir(), 'rm-long-'))
  await using undo = new AsyncDisposableStack()
  undo.defer(() => rm(folder, { recursive: true, force: true }))
  const clock = createTestClock(Date.parse(start) - minute)
  const server = undo.use(await startServer({ process: true }))
  const players: Player[] = []
  for (let n = 0; n < 2; n += 1) {
    const player = await join(server, clock, folder)
    undo.use(player.agent)
    players.push(player)
  }

  const end = Date.parse(start) + slotsEach * 10 * minute - minute
  let isServerUp = true
  const flip = async (player: Player) => {
    player.isUp = !player.isUp
    await (player.isUp ? player.agent.restart() : player.agent.kill())
  }
  while (clock.now() < end) {
    const left = end - clock.now()
    const isSpared = random() < 0.5
    switch (draw('go', 'go', 'go', 'go', 'go', 'sleep', 'agent', 'server')) {
      case 'go':
        await clock.advance(Math.min(left, draw(3, 12, 25, 40) * minute))
        // Mostly the work gets done before the next thing happens. Else that happens in the middle of it.
        if (isSpared) for (const player of players) if (player.isUp) await isIdle(player, clock)
        break
      case 'sleep':
        await clock.sleep(Math.min(left, draw(8, 45, 120) * minute))
        break
      case 'agent':
        await flip(draw(...players))
        break
      default:
        isServerUp = !isServerUp
        await (isServerUp ? server.restart() : server.kill())
    }
    // Who was killed comes back sooner or later.
    for (const player of players) if (!player.isUp && random() < 0.3) await flip(player)
    if (!isServerUp && random() < 0.15) {
      isServerUp = true
      await server.restart()
    }
  }

  if (!isServerUp) await server.restart()
  for (const player of players) if (!player.isUp) await flip(player)
  // Past the spread of the last slot, well before the next.
  await clock.advanceTo((Math.ceil(clock.now() / (10 * minute)) * 10 + 4) * minute)
  for (const player of players) await settle(player, clock)
  const ran = []
  for (const player of players) ran.push(await checkSlots(server, player, clock.now()))
  expect(Math.min(...ran)).toBeGreaterThan(slotsEach / 4)
})

/** Waits until the agent has nothing to run. What waits for an answer gets the time to give up on it. */
async function isIdle({ agent }: Player, clock: TestClock): Promise<void> {
  await until(
    async () => {
      if (agent.status().jobs?.length === 0) return true
      await clock.advance(2_000)
      return false
    },
    undefined,
    { what: `the work of ${agent.hostName} to be done`, timeoutMs: 60_000, everyMs: 50 },
  )
}

/** Waits until the agent has nothing to run and nothing to tell, a minute of its time after the other. */
async function settle({ agent }: Player, clock: TestClock): Promise<void> {
  await until(
    async () => {
      const { spool, jobs } = agent.status()
      if (spool?.waiting === 0 && jobs?.length === 0) return true
      await clock.advance(1_000)
      return false
    },
    undefined,
    { what: 'the agent to have told everything', timeoutMs: 60_000, everyMs: 200 },
  )
}

type Row = { id: string; status: string; reported: boolean; slot: string; oldest: string; slot_count: number }

/** Each slot once: in the database, in the agent's own records, and in the ledger of what really ran. Answers how many ran. */
async function checkSlots(server: TestServer, player: Player, now: number): Promise<number> {
  const { agent, restic, repositoryId, scheduleId } = player
  const slots = slotsBetween(timetable, new Date(Date.parse(start) - 1), new Date(now))
  expect(slots.length).toBeGreaterThanOrEqual(slotsEach)
  const rows = await server.db.execute<Row>(`select id, status, reported, slot_count,
      extract(epoch from scheduled_for) * 1000 as slot,
      extract(epoch from coalesce(not_run_from, scheduled_for)) * 1000 as oldest
    from jobs where schedule_id = '${scheduleId}' order by scheduled_for`)
  const facts = agent.facts()
  const backups = restic.runs('backup').map(({ argv }) => /rm-job=([0-9a-f-]{36})/.exec(argv.join(' '))?.[1])
  expect(new Set(backups).size).toBe(backups.length)

  const inDatabase = slots.map(slot => {
    const at = slot.getTime()
    const covering = rows.filter(row => Number(row.oldest) <= at && at <= Number(row.slot))
    return covering.map(row => row.status)
  })
  expect(inDatabase.filter(outcomes => outcomes.length !== 1)).toEqual([])
  const told = slots.map(slot => {
    const at = slot.toISOString()
    const jobId = slotJobId(scheduleId, at, repositoryId)
    return facts.filter(({ name, message }) => {
      if (name === 'schedule.notRun') return message.from <= at && at <= message.to
      return name === 'job.finished' && message.jobId === jobId
    }).length
  })
  // What the server decided to skip is all that a host has nothing to tell of.
  for (const [index, count] of told.entries())
    expect({ slot: slots[index], count }).toEqual({
      slot: slots[index],
      count: inDatabase[index]?.[0] === 'skipped' && count === 0 ? 0 : 1,
    })
  for (const jobId of backups) expect(rows.find(row => row.id === jobId)).toMatchObject({ reported: true })
  expect(rows.reduce((sum, row) => sum + row.slot_count, 0)).toBe(slots.length)
  for (const row of rows)
    expect(['succeeded', 'failed', 'incomplete', 'cancelled', 'missed', 'skipped']).toContain(row.status)
  expect(agent.output()).not.toMatch(/uncaught|unhandled|mistake of the agent/i)
  return backups.length
}
