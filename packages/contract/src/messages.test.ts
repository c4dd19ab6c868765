// Every message of the agent's wire, field by field: none may vanish, and none that is required may become optional.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { agentMessages } from './testing-agent-messages.ts'
import { jobMessages } from './testing-job-messages.ts'
import { scheduleMessages } from './testing-schedule-messages.ts'

/** Paths of all fields of a schema, those inside objects and lists included. */
function fieldsOf(schema: z.core.$ZodType, path = ''): string[] {
  if (schema instanceof z.ZodOptional) return fieldsOf(schema.unwrap(), path)
  if (schema instanceof z.ZodNullable) return fieldsOf(schema.unwrap(), path)
  if (schema instanceof z.ZodArray) return fieldsOf(schema.element, `${path}[]`)
  if (!(schema instanceof z.ZodObject)) return []
  return Object.entries(schema.shape as Record<string, z.core.$ZodType>).flatMap(([name, inner]) => {
    const own = `${path}${path === '' ? '' : '.'}${name}`
    return [own].concat(fieldsOf(inner, own))
  })
}

/** Paths of all fields of a sample, with the first item of each list. */
function pathsIn(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (Array.isArray(value)) return value.length === 0 ? [] : pathsIn(value[0], [...path, 0])
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => {
    const own = [...path, name]
    return [own].concat(pathsIn(inner, own))
  })
}

const written = (path: readonly (string | number)[]) =>
  path.map((part, at) => (part === 0 ? '[]' : `${at === 0 ? '' : '.'}${part}`)).join('')

function withoutField(value: unknown, path: readonly (string | number)[]): unknown {
  const copy: unknown = structuredClone(value)
  const holder = path.slice(0, -1).reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], copy)
  Reflect.deleteProperty(holder as object, path.at(-1) as string)
  return copy
}

const messages = [...agentMessages, ...scheduleMessages, ...jobMessages]

for (const { name, schema, sample, optional = [], free = [], absent = [] } of messages) {
  const isFree = (path: string) =>
    free.some(root => path.startsWith(`${root}.`) || path.startsWith(`${root}[]`))
  const paths = pathsIn(sample).filter(path => !isFree(written(path)))

  test(`${name} gives back every field it was given`, () => {
    expect(schema.parse(sample)).toEqual(sample)
  })

  test(`${name} has no field this test does not know`, () => {
    const known = [...paths.map(written), ...absent]
    expect(
      fieldsOf(schema)
        .filter(field => !isFree(field))
        .toSorted(),
    ).toEqual(known.toSorted())
  })

  for (const path of paths) {
    const field = written(path)
    const isOptional = optional.includes(field)
    test(`${name} is ${isOptional ? 'understood' : 'refused'} without ${field}`, () => {
      const result = schema.safeParse(withoutField(sample, path))
      expect(result.success).toBe(isOptional)
      if (isOptional) expect(result.data).toEqual(withoutField(sample, path))
    })
  }
}
