// Zod schemas as types that a person reads, with their limits. What the contract exports is called by its name.
import { globSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { root } from './processes.ts'

type Def = {
  type: string
  shape?: Record<string, z.ZodType>
  innerType?: z.ZodType
  element?: z.ZodType
  options?: z.ZodType[]
  items?: z.ZodType[]
  in?: z.ZodType
  out?: z.ZodType
  left?: z.ZodType
  right?: z.ZodType
  getter?: () => z.ZodType
  keyType?: z.ZodType
  valueType?: z.ZodType
  entries?: Record<string, string>
  values?: unknown[]
  defaultValue?: unknown
}
const defOf = (schema: z.ZodType) => schema._zod.def as unknown as Def

export type TypeNames = ReadonlyMap<z.ZodType, string>

/** The schemas that `packages/contract` exports, by their names. Ids and the like are shorter as what they are. */
export async function readTypeNames(): Promise<TypeNames> {
  const names = new Map<z.ZodType, string>()
  for (const file of globSync('packages/contract/src/*.ts', { cwd: root }).toSorted()) {
    if (/\.test\.ts$|\/testing-/.test(file)) continue
    const module = (await import(pathToFileURL(path.join(root, file)).href)) as Record<string, unknown>
    for (const [name, value] of Object.entries(module))
      if (isSchema(value) && ['object', 'union', 'enum', 'record'].includes(defOf(value).type))
        names.set(value, name)
  }
  return names
}

const isSchema = (value: unknown): value is z.ZodType =>
  typeof value === 'object' && value !== null && '_zod' in value

/** Writes types down. `used` gathers the names that it mentioned. */
export function typeWriter(names: TypeNames) {
  const used = new Set<z.ZodType>()

  function write(schema: z.ZodType, indent = '', isTop = false): string {
    const name = names.get(schema)
    if (name !== undefined && !isTop) {
      used.add(schema)
      return name
    }
    return writeWhole(schema, indent)
  }

  function writeWhole(schema: z.ZodType, indent: string): string {
    const def = defOf(schema)
    const inner = () => write(def.innerType as z.ZodType, indent)
    switch (def.type) {
      case 'object':
        return writeObject(def.shape ?? {}, indent)
      case 'array':
        return `${bracketed(write(def.element as z.ZodType, indent))}[]${limits(schema, 'items')}`
      case 'optional':
      case 'readonly':
      case 'nonoptional':
      case 'catch':
        return inner()
      case 'nullable':
        return `${inner()} | null`
      case 'default':
      case 'prefault':
        return `${inner()} = ${JSON.stringify(def.defaultValue)}`
      case 'union':
        return (def.options ?? []).map(option => write(option, indent)).join(' | ')
      case 'intersection':
        return `${write(def.left as z.ZodType, indent)} & ${write(def.right as z.ZodType, indent)}`
      case 'tuple':
        return `[${(def.items ?? []).map(item => write(item, indent)).join(', ')}]`
      case 'record':
        return `Record<${write(def.keyType as z.ZodType, indent)}, ${write(def.valueType as z.ZodType, indent)}>`
      case 'pipe':
        return write(def.in as z.ZodType, indent)
      case 'lazy':
        return 'JSON'
      case 'enum':
        return Object.values(def.entries ?? {})
          .map(value => `'${value}'`)
          .join(' | ')
      case 'literal':
        return (def.values ?? []).map(value => JSON.stringify(value)?.replaceAll('"', "'")).join(' | ')
      case 'string':
        return `${jsonOf(schema).format ?? 'string'}${limits(schema, 'characters')}`
      case 'number':
        return `${(jsonOf(schema) as { type?: string }).type ?? 'number'}${limits(schema)}`
      case 'date':
        return 'Date'
      default:
        return def.type
    }
  }

  function writeObject(shape: Record<string, z.ZodType>, indent: string): string {
    const fields = Object.entries(shape)
    if (fields.length === 0) return '{}'
    const lines = fields.map(([field, schema]) => {
      const mayLack = schema.safeParse(undefined).success && defOf(schema).type !== 'void'
      return `${indent}  ${field}${mayLack ? '?' : ''}: ${write(schema, `${indent}  `)}`
    })
    return `{\n${lines.join('\n')}\n${indent}}`
  }

  return { write, used }
}

const bracketed = (type: string) => (/^[\w.]+$/.test(type) || type.startsWith('{') ? type : `(${type})`)

type Limits = {
  format?: string
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
} & {
  minimum?: number
  maximum?: number
}

/** What a schema says of itself apart from what it holds. */
const jsonOf = (schema: z.ZodType) =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Limits

/** " (1 to 200 characters)"; empty where anything fits. */
function limits(schema: z.ZodType, of = ''): string {
  const json = jsonOf(schema)
  if (json.format === 'uuid') return ''
  const least = json.minLength ?? json.minItems ?? json.minimum
  const most = json.maxLength ?? json.maxItems ?? json.maximum
  const from = least === undefined || least === Number.MIN_SAFE_INTEGER ? undefined : least
  const to = most === undefined || most === Number.MAX_SAFE_INTEGER ? undefined : most
  if (from === undefined && to === undefined) return ''
  const range =
    to === undefined ? `at least ${from}` : from === undefined ? `at most ${to}` : `${from} to ${to}`
  return ` (${[range, of].filter(Boolean).join(' ')})`
}
