// What zod accepts on the wire: identifiers, instants, unknown keys.
import { expect, test } from 'vitest'
import { z } from 'zod'

test('a uuid must have a version and a variant; the nil and max ones pass', () => {
  const accepts = (text: string) => z.uuid().safeParse(text).success
  expect(accepts('0192f3a0-7c4d-7abc-8def-0123456789ab')).toBe(true)
  expect(accepts('886313e1-3b8a-5372-9b90-0c9aee199e5d')).toBe(true)
  expect(accepts('00000000-0000-0000-0000-000000000000')).toBe(true)
  expect(accepts('ffffffff-ffff-ffff-ffff-ffffffffffff')).toBe(true)
  expect(accepts('0192f3a0-7c4d-0abc-8def-0123456789ab')).toBe(false)
  expect(accepts('0192f3a0-7c4d-7abc-cdef-0123456789ab')).toBe(false)
  expect(accepts('0192f3a07c4d7abc8def0123456789ab')).toBe(false)
})

test('a uuid in capitals passes and stays in capitals', () => {
  expect(z.uuid().parse('886313E1-3B8A-5372-9B90-0C9AEE199E5D')).toBe('886313E1-3B8A-5372-9B90-0C9AEE199E5D')
})

test('an object drops unknown keys, a loose one keeps them, a strict one refuses', () => {
  const shape = { known: z.string() }
  const value = { known: 'a', more: 1 }
  expect(z.object(shape).parse(value)).toEqual({ known: 'a' })
  expect(z.looseObject(shape).parse(value)).toEqual(value)
  expect(() => z.strictObject(shape).parse(value)).toThrow('Unrecognized key')
})

test('strictness is not inherited by the objects inside', () => {
  const outer = z.strictObject({ inner: z.object({ known: z.string() }) })
  expect(outer.parse({ inner: { known: 'a', more: 1 } })).toEqual({ inner: { known: 'a' } })
})

test('extending a strict object keeps it strict', () => {
  const extended = z.strictObject({ a: z.string() }).extend({ b: z.string() })
  expect(() => extended.parse({ a: '', b: '', c: '' })).toThrow('Unrecognized key')
})

test('an instant must be UTC, and has exactly milliseconds where asked', () => {
  const accepts = (text: string) => z.iso.datetime({ precision: 3 }).safeParse(text).success
  expect(accepts('2026-11-23T16:00:00.000Z')).toBe(true)
  expect(accepts('2026-11-23T16:00:00Z')).toBe(false)
  expect(accepts('2026-11-23T16:00:00.000000Z')).toBe(false)
  expect(accepts('2026-11-23T16:00:00.000+01:00')).toBe(false)
  expect(accepts('2026-02-30T16:00:00.000Z')).toBe(false)
})

test('a number is finite and an int is safe', () => {
  expect(z.number().safeParse(Infinity).success).toBe(false)
  expect(z.int().safeParse(2 ** 53).success).toBe(false)
})

test('a hostile __proto__ key does not reach a prototype', () => {
  const value = z.looseObject({}).parse(JSON.parse('{"__proto__":{"admin":true}}')) as { admin?: boolean }
  expect(value.admin).toBeUndefined()
})
