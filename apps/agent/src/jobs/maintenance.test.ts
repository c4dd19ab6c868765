// forget, prune and check on real repositories, with the oldest restic that is supported and a current one.
import { newId } from '@restic-manager/contract/ids'
import { Progress, Warning } from '@restic-manager/contract/job'
import { ForgetPreview } from '@restic-manager/contract/retention'
import { eachRestic } from '@restic-manager/testkit/restic'
import { randomBytes } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { holdExclusiveLock, jobBench, type JobBench } from '../testing-jobs.ts'
import { runJob } from './run.ts'

const SLOW = 120_000

/** Snapshots of one schedule, one a day, the newest last. */
async function daily(bench: JobBench, scheduleId: string, days: number, hostname = 'h1') {
  const ids: string[] = []
  for (let day = 1; day <= days; day += 1) {
    writeFileSync(join(bench.source, 'file'), `${scheduleId} ${day} ${'x'.repeat(day * 10_000)}`)
    const { id } = await bench.plain.backup(
      [bench.source],
      ...['--host', hostname, '--time', `2026-03-${String(day).padStart(2, '0')} 03:00:00`],
      ...['--tag', `rm-host=${bench.context.hostId},rm-schedule=${scheduleId},rm-job=${newId()}`],
    )
    ids.push(id)
  }
  return ids
}

const idsIn = async (bench: JobBench) => (await bench.plain.snapshots()).map(({ id }) => id).toSorted()

await eachRestic(restic => {
  test.concurrent(
    'forget lets go of what no rule keeps, of its own schedules alone, and says which and why',
    async () => {
      using bench = jobBench(restic)
      bench.makeRepository()
      const { hostId } = bench.context
      const [mine, other] = [newId(), newId()]
      const [first, second, third] = await daily(bench, mine, 3)
      const foreign = await daily(bench, other, 2)
      const targets = [{ hostId, scheduleId: mine }]

      const preview = await runJob('forget', bench.context, { retention: { last: 2 }, dryRun: true, targets })
      expect(preview).toMatchObject({ status: 'succeeded', warnings: [] })
      const { groups, dryRun } = ForgetPreview.parse(preview.stats)
      expect(dryRun).toBe(true)
      expect(groups).toMatchObject([
        {
          ...{ hostId, scheduleId: mine, keepCount: 2, removeCount: 1 },
          keep: [
            { shortId: third?.slice(0, 8), reasons: ['last snapshot'] },
            { shortId: second?.slice(0, 8) },
          ],
          remove: [{ shortId: first?.slice(0, 8), reasons: [], paths: [bench.source] }],
        },
      ])
      expect(await idsIn(bench)).toHaveLength(5)

      const context = { ...bench.context, jobId: newId() }
      const outcome = await runJob('forget', context, { retention: { last: 2 }, dryRun: false, targets })
      expect(outcome).toMatchObject({ status: 'succeeded', stats: { dryRun: false } })
      expect(await idsIn(bench)).toEqual([second, third, ...foreign].toSorted())
      expect(await bench.plain.locks()).toEqual([])
      expect(bench.starts).toHaveLength(2)
      expect(bench.starts[1]?.command).toContain(
        `--keep-last=2 --group-by host --tag rm-host=${hostId},rm-schedule=${mine}`,
      )
      expect(bench.starts[1]?.command).not.toContain('--dry-run')
      expect(bench.progress.filter(each => !Progress.safeParse(each).success)).toEqual([])

      // Nothing of that schedule, and nothing more to do: both are fine.
      const again = {
        retention: { last: 2 },
        dryRun: false,
        targets: [...targets, { hostId, scheduleId: newId() }],
      }
      expect(await runJob('forget', { ...context, jobId: newId() }, again)).toMatchObject({
        status: 'succeeded',
      })
      expect(await idsIn(bench)).toHaveLength(4)
    },
    SLOW,
  )

  test.concurrent(
    'a policy that could let go of everything never reaches restic',
    async () => {
      using bench = jobBench(restic)
      bench.makeRepository()
      const scheduleId = newId()
      await daily(bench, scheduleId, 1)
      const targets = [{ hostId: bench.context.hostId, scheduleId }]
      for (const retention of [
        { last: -1 },
        {},
        { last: 0 },
        { tags: ['x'] },
        { within: '0d' },
        { daily: 7, weekly: -2 },
      ])
        expect(await runJob('forget', bench.context, { retention, dryRun: false, targets })).toMatchObject({
          status: 'failed',
          reason: 'unsafe_retention',
        })
      expect(bench.starts).toEqual([])
      expect(await idsIn(bench)).toHaveLength(1)
    },
    SLOW,
  )

  test.concurrent(
    'a prune frees what nothing needs any more, and says how much',
    async () => {
      using bench = jobBench(restic)
      bench.makeRepository()
      const [first] = await daily(bench, newId(), 2)
      await bench.plain.run('forget', String(first))
      const before = sizeOf(bench.plain.url)
      const outcome = await runJob('prune', bench.context, { maxUnusedPercent: 0 })
      expect(outcome).toMatchObject({ status: 'succeeded', exitCode: 0, warnings: [] })
      expect(outcome.stats).toMatchObject({
        removedBytes: expect.any(Number),
        remainingBytes: expect.any(Number),
        unusedBytes: 0,
      })
      expect(Number(outcome.stats?.removedBlobs)).toBeGreaterThan(0)
      expect(sizeOf(bench.plain.url)).toBeLessThan(before)
      expect(bench.starts).toMatchObject([{ command: expect.stringContaining('--max-unused=0%') }])
      expect(bench.progress.filter(each => !Progress.safeParse(each).success)).toEqual([])
      await bench.plain.check()
      const lenient = { maxUnusedPercent: 100, maxRepackBytes: 1_000_000 }
      expect(await runJob('prune', { ...bench.context, jobId: newId() }, lenient)).toMatchObject({
        status: 'succeeded',
      })
    },
    SLOW,
  )

  test.concurrent(
    'a check tells a whole repository from a damaged one, and a structural one does not see a changed byte',
    async () => {
      using bench = jobBench(restic)
      bench.makeRepository()
      writeFileSync(join(bench.source, 'noise'), randomBytes(300_000))
      await daily(bench, newId(), 1)
      expect(await runJob('check', bench.context, {})).toMatchObject({
        status: 'succeeded',
        stats: { errors: 0 },
        warnings: [],
      })
      const inTurns = await runJob('check', bench.context, { readPart: { part: 1, of: 1 } })
      expect(inTurns).toMatchObject({ status: 'succeeded', stats: { packsRead: 2 } })

      changeOneByte(bench.plain.url)
      expect(await runJob('check', bench.context, {})).toMatchObject({ status: 'succeeded' })
      const damaged = await runJob('check', bench.context, { readPercent: 100 })
      expect(damaged).toMatchObject({
        status: 'failed',
        reason: 'damaged',
        exitCode: 1,
        stats: { packsRead: 2, errors: 1 },
        warnings: [{ code: 'damage', message: expect.stringMatching(/pack/i) }],
      })
      expect(damaged.warnings.filter(each => !Warning.safeParse(each).success)).toEqual([])
      expect(readdirSync(bench.context.folders.temp)).toEqual([])
      expect(await bench.plain.locks()).toEqual([])
    },
    SLOW,
  )

  test.concurrent(
    'what needs the repository for itself waits for a lock, and says at the end that it was locked',
    async () => {
      using bench = jobBench(restic, { timing: { lockWait: 2_000, lockRetry: 200 } })
      bench.makeRepository()
      const scheduleId = newId()
      writeFileSync(join(bench.source, 'noise'), randomBytes(300_000))
      await daily(bench, scheduleId, 2)
      const holder = await holdExclusiveLock(bench)
      const targets = [{ hostId: bench.context.hostId, scheduleId }]
      const outcomes = [
        await runJob('prune', bench.context, {}),
        await runJob('check', bench.context, {}),
        await runJob('forget', bench.context, { retention: { last: 1 }, dryRun: false, targets }),
      ]
      expect(outcomes.map(({ status, reason }) => `${status} ${reason}`)).toEqual(
        Array.from({ length: 3 }, () => 'failed locked'),
      )
      // A preview changes nothing, so it need not wait.
      const preview = { retention: { last: 1 }, dryRun: true, targets }
      expect(await runJob('forget', bench.context, preview)).toMatchObject({ status: 'succeeded' })
      await holder.release({ unlock: false })
    },
    SLOW,
  )
})

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(each => each.isFile())
    .reduce((sum, each) => sum + statSync(join(each.parentPath, each.name)).size, 0)
}

function changeOneByte(repository: string): void {
  const packs = readdirSync(join(repository, 'data'), { recursive: true, withFileTypes: true })
    .filter(each => each.isFile())
    .map(each => join(each.parentPath, each.name))
    .toSorted((a, b) => statSync(b).size - statSync(a).size)
  const [pack = ''] = packs
  const bytes = readFileSync(pack)
  bytes[100] = (bytes[100] ?? 0) ^ 0xff
  chmodSync(pack, 0o600)
  writeFileSync(pack, bytes)
}
