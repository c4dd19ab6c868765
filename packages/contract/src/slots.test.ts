// Derived ids and the spread of a host: golden values, for a change of any of them would run slots twice.
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { newId } from './ids.ts'
import { jitterMs, retryJobId, slotJobId, toSlot } from './slots.ts'

const schedule = '0192b7e4-5b1c-7a3e-8f01-23456789abcd'
const repository = '0192b7e4-5b1d-7000-9000-0000000000a1'
const host = '0192b7e4-5b1e-7111-a000-0000000000b2'
const namespace = '6f0e3f0b-52a5-4d5e-9a63-8f1f5c6f1b70'

/** RFC 9562, 5.5: SHA-1 of the namespace's bytes and the name, cut to 128 bits. */
function uuidOfName(name: string): string {
  const hash = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest()
    .subarray(0, 16)
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6)
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8)
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

describe('the job id of a slot', () => {
  test.each([
    ['2026-11-23T02:30:00.000Z', '27260cf7-0dfa-5db1-a8aa-78a7ba9dbe15'],
    ['2026-11-24T02:30:00.000Z', 'e1d8d048-ca7e-5531-9af3-16b044bbb497'],
    ['1970-01-01T00:00:00.000Z', '163ff591-ff64-53cb-beee-5825abb6f28b'],
  ])('of %s is what it has always been', (slot, id) => {
    expect(slotJobId(schedule, slot, repository)).toBe(id)
  })

  test('is the version 5 id of schedule, slot and repository, as the protocol says', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.uuid(), fc.integer({ min: 0, max: 4e12 }), (schedule, repository, at) => {
        const slot = toSlot(at)
        expect(slotJobId(schedule, slot, repository)).toBe(uuidOfName(`${schedule}|${slot}|${repository}`))
      }),
    )
  })

  test('does not depend on how the ids are written, nor on seconds', () => {
    const plain = slotJobId(schedule, '2026-11-23T02:30:00.000Z', repository)
    expect(slotJobId(schedule.toUpperCase(), '2026-11-23T02:30:00.000Z', repository.toUpperCase())).toBe(
      plain,
    )
    expect(slotJobId(schedule, '2026-11-23T02:30:59.999Z', repository)).toBe(plain)
  })

  test('differs for another schedule, slot or repository', () => {
    const ids = [
      slotJobId(schedule, '2026-11-23T02:30:00.000Z', repository),
      slotJobId(schedule, '2026-11-23T02:31:00.000Z', repository),
      slotJobId(schedule, '2026-11-23T02:30:00.000Z', host),
      slotJobId(repository, '2026-11-23T02:30:00.000Z', schedule),
    ]
    expect(new Set(ids).size).toBe(ids.length)
  })
})

test('the id of a retry is what it has always been', () => {
  const job = slotJobId(schedule, '2026-11-23T02:30:00.000Z', repository)
  expect(retryJobId(job, 1)).toBe('df950c60-f038-5864-9970-a3409759e79e')
  expect(retryJobId(job, 2)).toBe('3899dae7-e5d5-588d-baa9-74773dfa324e')
  expect(retryJobId(job.toUpperCase(), 1)).toBe(retryJobId(job, 1))
  expect(retryJobId(job, 1)).toBe(uuidOfName(`${job}|1`))
})

test('a slot is written as a whole minute in UTC', () => {
  expect(toSlot(new Date('2026-11-23T03:30:59.999+01:00'))).toBe('2026-11-23T02:30:00.000Z')
})

describe('the spread of a host', () => {
  test('is what it has always been', () => {
    expect(jitterMs(host, schedule, 1_200)).toBe(401383)
    expect(jitterMs(host.toUpperCase(), schedule.toUpperCase(), 1_200)).toBe(401383)
  })

  test('is a whole number of milliseconds below its limit, and nothing where none is wanted', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.uuid(), fc.integer({ min: 1, max: 86_400 }), (host, schedule, seconds) => {
        const spread = jitterMs(host, schedule, seconds)
        expect(Number.isInteger(spread)).toBe(true)
        expect(spread).toBeGreaterThanOrEqual(0)
        expect(spread).toBeLessThan(seconds * 1_000)
      }),
    )
    expect(jitterMs(host, schedule, 0)).toBe(0)
  })

  test('uses all of the time it is given, evenly over a fleet', () => {
    const tenths = Array.from({ length: 10 }, () => 0)
    for (let n = 0; n < 10_000; n += 1) {
      const tenth = Math.floor(jitterMs(newId(), schedule, 100) / 10_000)
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    // 1,000 each is even. A fair spread leaves these bounds less than once in 10⁹ runs.
    for (const count of tenths) expect(Math.abs(count - 1_000)).toBeLessThan(200)
  })
})
