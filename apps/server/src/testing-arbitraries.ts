// For tests only: hostile values for a zod schema, and hostile changes of a valid message.
import fc from 'fast-check'
import type { z } from 'zod'
import { bagOf, defOf } from './testing-inputs.ts'

/** Names and texts that have broken programs before. */
export const nastyTexts = [
  '',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  '\0',
  '\u{d800}',
  '../../etc/passwd',
  '-rf',
  '--password-command=id',
  '$(id)',
  "'; drop table hosts; --",
  '<img src=x onerror=alert(1)>',
  '\u001b[2J\u001b]0;pwned\u0007',
  '\u202e',
  'NaN',
  '1e999',
  'x'.repeat(5_000),
  '9999-12-31T23:59:59.999Z',
  '-000001-01-01T00:00:00.000Z',
]
const nastyNumbers = [0, -0, -1, 0.5, 2 ** 31, 2 ** 53, Number.MAX_VALUE, 1e-320, NaN, Infinity]

const nasty: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(...nastyTexts, ...nastyNumbers, null, true, undefined),
  fc.constantFrom<unknown>([], {}, [[[[]]]], JSON.parse('{"__proto__":{"admin":true}}')),
  fc.jsonValue({ maxDepth: 3 }),
)

const uuid = fc.uuid({ version: [4, 7] })
const instant = fc.integer({ min: -1, max: 253_402_300_799_999 }).map(ms => new Date(ms).toISOString())

/** Values of a schema's shape, most of them valid: bounds are kept where the schema tells them. `ids`: what to name by field. */
export function arbitraryOf(
  schema: z.ZodType,
  name: string,
  ids: (name: string) => string[],
): fc.Arbitrary<unknown> {
  const def = defOf(schema)
  const { minimum, maximum, format = def.format } = bagOf(schema)
  const inner = () => arbitraryOf(def.innerType as z.ZodType, name, ids)
  switch (def.type) {
    case 'object': {
      const fields = Object.entries(def.shape ?? {}).map(
        ([key, field]) => [key, arbitraryOf(field, key, ids)] as const,
      )
      return fc.record(Object.fromEntries(fields)).map(value => dropUndefined(value))
    }
    case 'string': {
      if (format === 'uuid') return fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...ids(name)) }, uuid)
      if (format === 'datetime') return fc.oneof({ weight: 5, arbitrary: recent }, instant)
      return fc.oneof(
        { weight: 6, arbitrary: fc.string({ unit: 'grapheme', maxLength: Math.min(maximum ?? 60, 60) }) },
        { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
        { weight: 2, arbitrary: fc.constantFrom(...nastyTexts) },
        { weight: 2, arbitrary: fc.stringMatching(/^[0-9a-f]{64}$/) },
        { weight: 1, arbitrary: fc.constantFrom('backup', '0\to\thello\n', '0\tg\t{"count":1}\n') },
      )
    }
    case 'number': {
      const min = Number.isFinite(minimum) ? Number(minimum) : -1000
      const max = Number.isFinite(maximum) ? Number(maximum) : Number.MAX_SAFE_INTEGER
      const edges = fc.constantFrom(min, max, Math.min(max, min + 1))
      const within =
        format?.includes('int') === true
          ? fc.integer({ min: Math.ceil(min), max: Math.floor(Math.min(max, Number.MAX_SAFE_INTEGER)) })
          : fc.double({ min, max: Math.min(max, 1e12), noNaN: true })
      return fc.oneof(
        {
          weight: 3,
          arbitrary: fc.integer({ min: Math.max(0, Math.ceil(min)), max: Math.min(max, 50) || 1 }),
        },
        within,
        edges,
      )
    }
    case 'boolean':
      return fc.boolean()
    case 'enum':
      return fc.constantFrom(...Object.values(def.entries ?? {}))
    case 'literal':
      return fc.constantFrom(...(def.values ?? []))
    case 'array':
      return fc.array(arbitraryOf(def.element as z.ZodType, name, ids), { maxLength: 4 })
    case 'union':
      return fc.oneof(...(def.options ?? []).map(option => arbitraryOf(option, name, ids)))
    case 'optional':
    case 'default':
      return fc.option(inner(), { nil: undefined })
    case 'nullable':
      return fc.option(inner(), { nil: null })
    case 'readonly':
      return inner()
    case 'pipe':
      return arbitraryOf(def.in as z.ZodType, name, ids)
    case 'record':
      return fc.dictionary(
        fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom(...nastyTexts)),
        fc.jsonValue({ maxDepth: 2 }),
        { maxKeys: 4 },
      )
    default:
      return nasty
  }
}

const recent = fc
  .integer({ min: -86_400, max: 3_600 })
  .map(seconds => new Date(Date.now() + seconds * 1_000).toISOString())

const dropUndefined = (value: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined))

/** One to three fields of a message, at any depth, replaced, removed, doubled or joined by a strange one. */
export function mutationsOf(message: unknown): fc.Arbitrary<unknown> {
  const places = placesIn(message)
  const change = fc.record({
    at: fc.constantFrom(...places),
    how: fc.constantFrom('replace', 'replace', 'remove', 'stray', 'nest'),
    by: nasty,
  })
  return fc.array(change, { minLength: 1, maxLength: 3 }).map(changes => {
    let value: unknown = structuredClone(message)
    for (const { at, how, by } of changes) value = changeAt(value, at, how, by)
    return value
  })
}

type Place = readonly string[]
function placesIn(value: unknown, at: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [at]
  return [at, ...Object.entries(value).flatMap(([name, each]) => placesIn(each, [...at, name]))]
}

function changeAt(value: unknown, [name, ...rest]: Place, how: string, by: unknown): unknown {
  if (name === undefined) {
    const strayName = typeof by === 'string' ? by : 'stray'
    if (how === 'stray' && typeof value === 'object' && value !== null && !Array.isArray(value))
      return Object.assign(JSON.parse('{"__proto__":{"x":1}}') as object, value, { [strayName]: by })
    return how === 'nest' ? { [strayName]: [value, value] } : by
  }
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return value
  const copy = Array.isArray(value) ? [...value] : { ...value }
  if (rest.length === 0 && how === 'remove') Reflect.deleteProperty(copy, name)
  else Reflect.set(copy, name, changeAt(Reflect.get(value, name), rest, how, by))
  return copy
}
