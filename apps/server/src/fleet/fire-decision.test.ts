// The decision about a fired slot: what was decided once stays, and only a guess gives way.
import { describe, expect, test } from 'vitest'
import { JobStatus, nextStatuses } from '@restic-manager/contract/job'
import { decideFire, decideOwnRun, type FireKnowledge, type KnownSlot } from './fire-decision.ts'

const row = (over: Partial<KnownSlot>): KnownSlot => ({
  status: 'queued',
  reported: false,
  decidedBy: 'server',
  reason: null,
  elsewhere: false,
  released: true,
  ...over,
})
const decide = (over: Partial<FireKnowledge> = {}) =>
  decideFire({
    plan: 'live',
    overlap: 'skip',
    newerFired: false,
    row: undefined,
    notRun: undefined,
    place: { elsewhere: false },
    busy: false,
    ...over,
  })

const each = <T>(values: readonly T[]) => values
const everyRow = each(JobStatus.options).flatMap(status =>
  each([true, false]).flatMap(reported =>
    each(['server', 'agent'] as const).flatMap(decidedBy =>
      each([true, false]).flatMap(elsewhere =>
        each([true, false]).map(released => row({ status, reported, decidedBy, elsewhere, released })),
      ),
    ),
  ),
)
const everyPlan = each(['live', 'paused', 'deleted'] as const).flatMap(plan =>
  each([true, false]).flatMap(newerFired =>
    each([true, false]).flatMap(busy =>
      each([{ elsewhere: true }, { elsewhere: false }, { refused: 'no_maintenance_host' }]).map(place => ({
        plan,
        newerFired,
        busy,
        place,
      })),
    ),
  ),
)

describe('a slot left to the server', () => {
  test('that nobody knows runs by the plan as it is now, or is skipped with the reason', () => {
    expect(decide()).toEqual({ do: 'queue', decision: 'queued' })
    expect(decide({ place: { elsewhere: true } })).toEqual({ do: 'queue', decision: 'delegated' })
    expect(decide({ plan: 'deleted' })).toMatchObject({ do: 'skip', reason: 'schedule_deleted' })
    expect(decide({ plan: 'paused' })).toMatchObject({ do: 'skip', reason: 'schedule_paused' })
    expect(decide({ newerFired: true })).toMatchObject({ do: 'skip', reason: 'superseded' })
    expect(decide({ place: { refused: 'no_maintenance_host' } })).toMatchObject({
      do: 'skip',
      reason: 'no_maintenance_host',
    })
    expect(decide({ notRun: 'host_was_off' })).toEqual({
      do: 'answer',
      decision: 'skipped',
      reason: 'host_was_off',
    })
  })

  test('overlap is decided here only for what its host cannot see', () => {
    expect(decide({ busy: true })).toMatchObject({ do: 'queue' })
    expect(decide({ busy: true, place: { elsewhere: true } })).toMatchObject({
      do: 'skip',
      reason: 'overlap',
    })
    expect(decide({ busy: true, place: { elsewhere: true }, overlap: 'queue' })).toMatchObject({
      do: 'queue',
    })
  })

  test('is decided anew only where the records hold nothing but our own guess that it was missed', () => {
    for (const known of everyRow)
      for (const plan of everyPlan) {
        const isGuess = known.status === 'missed' && !known.reported
        const ruling = decide({ ...plan, row: known })
        if (isGuess) expect(ruling).toEqual(decide(plan))
        else expect(ruling.do).toBe('answer')
      }
  })

  test('was skipped, cancelled or expired: its host is told so, and never to wait', () => {
    for (const known of everyRow) {
      const { decision } = decide({ row: known })
      const ranOrRuns = known.reported
        ? !['missed', 'skipped', 'expired'].includes(known.status)
        : ['queued', 'accepted', 'running', 'lost', 'succeeded', 'incomplete', 'failed'].includes(
            known.status,
          )
      if (known.status === 'missed' && !known.reported) expect(decision).toBe('queued')
      else expect(decision === 'skipped').toBe(!ranOrRuns)
    }
  })

  test('is answered the same again after it was decided', () => {
    for (const plan of everyPlan) {
      const first = decide(plan)
      const elsewhere = 'elsewhere' in plan.place && plan.place.elsewhere
      const after =
        first.do === 'skip'
          ? row({ status: 'skipped', reason: first.reason })
          : row({ status: 'queued', elsewhere, released: false })
      for (const later of everyPlan) {
        const { decision, ...more } = decide({ ...later, row: after })
        expect({ decision, reason: 'reason' in more ? more.reason : undefined }).toEqual({
          decision: first.decision,
          reason: 'reason' in first ? first.reason : undefined,
        })
      }
    }
  })
})

describe('a slot its host runs by itself', () => {
  test('is recorded, and a guess of ours gives way', () => {
    expect(decideOwnRun(undefined)).toEqual({ do: 'record', decision: 'queued' })
    for (const status of ['queued', 'missed', 'skipped'] as const)
      expect(decideOwnRun(row({ status }))).toEqual({ do: 'take', decision: 'queued' })
  })

  test('moves no status but along the table, and none that was reported or is under way', () => {
    for (const known of everyRow) {
      const ruling = decideOwnRun(known)
      const allowed: readonly string[] = nextStatuses[known.status]
      if (ruling.do === 'take') expect(known.status === 'queued' || allowed.includes('queued')).toBe(true)
      if (known.reported || !['queued', 'missed', 'skipped', 'cancelled', 'expired'].includes(known.status))
        expect(ruling.do).toBe('leave')
    }
  })

  test('is not taken away from a host that was already told to run it', () => {
    expect(decideOwnRun(row({ elsewhere: true, released: true })).do).toBe('leave')
    expect(decideOwnRun(row({ elsewhere: true, released: false })).do).toBe('take')
  })
})
