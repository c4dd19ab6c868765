// The plan a first backup comes with.
import { ScheduleDraft } from '@restic-manager/contract/schedule'
import { expect, test } from 'vitest'
import { backupOf, firstPlan, upkeepOf } from './first-plan.ts'
import { complaintsAboutDraft } from './schedule-draft.ts'

const host = {
  id: '0190a1b2-0000-7000-8000-000000000001',
  os: 'linux',
  timeZone: 'Europe/Berlin',
  policy: null,
}
const repository = {
  id: '0190a1b2-0000-7000-8000-000000000002',
  mayDelete: true,
  maintenanceHost: null,
}
const scheduleId = '0190a1b2-0000-7000-8000-000000000003'
const source = { paths: ['/etc', '/srv'], excludes: ['*.tmp'] }

test('the pre-filled plan backs up each night, keeps 7 daily, 4 weekly and 12 monthly, and checks each week', () => {
  const plan = firstPlan(host, repository)
  const backup = backupOf(plan, host, repository, source)
  expect(backup).toMatchObject({ ...source, kind: 'backup', timeZone: 'Europe/Berlin', enabled: true })
  const [forget, check, ...others] = upkeepOf(plan, host, repository, scheduleId)
  expect(forget).toMatchObject({
    kind: 'forget',
    retention: { daily: 7, weekly: 4, monthly: 12 },
    forgets: [scheduleId],
  })
  expect(check?.kind).toBe('check')
  expect(others).toEqual([])
})

test.each([0, 18, 23])('every schedule of a plan for %i:59 is one the server takes', hour => {
  const plan = { at: { hour, minute: 59 }, keeps: true, checks: true, maintains: true }
  const drafts = [backupOf(plan, host, repository, source), ...upkeepOf(plan, host, repository, scheduleId)]
  expect(drafts.map(({ kind }) => kind)).toEqual(['backup', 'forget', 'prune', 'check'])
  for (const draft of drafts) {
    expect(ScheduleDraft.safeParse(draft).error).toBeUndefined()
    expect(complaintsAboutDraft(draft)).toEqual({})
  }
})

test('where the host may only append and nobody maintains the repository, nothing is thinned until the host maintains it', () => {
  const appendOnly = { ...repository, mayDelete: false }
  const plan = firstPlan(host, appendOnly)
  expect(upkeepOf({ ...plan, keeps: true }, host, appendOnly, scheduleId).map(({ kind }) => kind)).toEqual([
    'check',
  ])
  const [forget] = upkeepOf({ ...plan, keeps: true, maintains: true }, host, appendOnly, scheduleId)
  expect(forget?.retention).toEqual({ withinDaily: '7d', withinWeekly: '1m', withinMonthly: '1y' })
})
