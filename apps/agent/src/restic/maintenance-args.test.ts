// The arguments of forget, prune and check: nothing in them can mean more than was asked for.
import { expect, test } from 'vitest'
import type { Target } from './args.ts'
import { checkArgs, forgetArgs, pruneArgs } from './maintenance-args.ts'

const access = { url: '/srv/repository', password: 'word' }
const old: Target = { access, version: '0.14.0' }
const current: Target = { access, version: '0.18.0' }
const lockWaitMs = 600_000
const tags = ['rm-host=a', 'rm-schedule=b']

test('each keep rule is one flag, and the two tags are one flag, so that a snapshot must carry both', () => {
  const retention = {
    ...{ last: 1, hourly: 2, daily: 3, weekly: 4, monthly: 5, yearly: 6, tags: ['mine', 'yours'] },
    ...{ within: '1d', withinHourly: '2d', withinDaily: '3d', withinWeekly: '1m' },
    ...{ withinMonthly: '1y', withinYearly: '5y' },
  }
  expect(forgetArgs(old, { retention, tags, lockWaitMs }, { dryRun: false })).toEqual([
    ...['forget', '--json', '--keep-last=1', '--keep-hourly=2', '--keep-daily=3', '--keep-weekly=4'],
    ...['--keep-monthly=5', '--keep-yearly=6', '--keep-within=1d', '--keep-within-hourly=2d'],
    ...['--keep-within-daily=3d', '--keep-within-weekly=1m', '--keep-within-monthly=1y'],
    ...['--keep-within-yearly=5y', '--keep-tag=mine', '--keep-tag=yours'],
    ...['--group-by', 'host', '--tag', 'rm-host=a,rm-schedule=b'],
  ])
})

test('a number that keeps nothing never becomes a flag', () => {
  const args = forgetArgs(
    old,
    { retention: { last: 0, daily: -1, weekly: 1 }, tags, lockWaitMs },
    { dryRun: false },
  )
  expect(args.filter(word => word.startsWith('--keep'))).toEqual(['--keep-weekly=1'])
})

test('a dry run takes no lock, the real one waits for it, and neither prunes', () => {
  const request = { retention: { last: 1 }, tags, lockWaitMs }
  const dry = forgetArgs(current, request, { dryRun: true })
  expect(dry).toEqual(expect.arrayContaining(['--dry-run', '--no-lock']))
  expect(dry.join(' ')).not.toMatch(/--retry-lock|--prune/)
  const real = forgetArgs(current, request, { dryRun: false })
  expect(real).toContain('--retry-lock=600s')
  expect(real.join(' ')).not.toMatch(/--dry-run|--no-lock|--prune/)
})

test.each([
  [{}, []],
  [{ maxUnusedPercent: 0 }, ['--max-unused=0%']],
  [{ maxUnusedPercent: 12.5, maxRepackBytes: 1_000 }, ['--max-unused=12.5%', '--max-repack-size=1000']],
  [{ maxUnusedPercent: 100 }, ['--max-unused=unlimited']],
  [{ maxUnusedBytes: 5_000 }, ['--max-unused=5000']],
])('a prune with %j', (spec, flags) => {
  expect(pruneArgs(old, { ...spec, lockWaitMs })).toEqual(['prune', ...flags])
})

test.each([
  [{}, []],
  [{ readPercent: 2.5 }, ['--read-data-subset=2.5%']],
  [{ readPart: { part: 3, of: 12 } }, ['--read-data-subset=3/12']],
])('a check with %j', (spec, flags) => {
  expect(checkArgs(current, { ...spec, lockWaitMs })).toEqual(['check', '--retry-lock=600s', ...flags])
})
