// Promises of what is said of a host that is behind.
import { expect, test } from 'vitest'
import { driftOf } from './drift.ts'

test('a host that is behind says with what, its schedules first', () => {
  const inStep = {
    configVersion: 3,
    appliedConfigVersion: 3,
    scheduleVersion: 16,
    appliedScheduleVersion: 16,
  }
  expect(driftOf(inStep)).toBeUndefined()
  expect(driftOf({ ...inStep, appliedConfigVersion: 2 })).toEqual({
    what: 'configuration',
    applied: 2,
    wanted: 3,
  })
  expect(driftOf({ ...inStep, appliedConfigVersion: 2, appliedScheduleVersion: 14 })).toEqual({
    what: 'schedules',
    applied: 14,
    wanted: 16,
  })
})
