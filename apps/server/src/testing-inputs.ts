// For tests only: valid inputs made from zod schemas, with a place held open for every id, so that a test can name what it likes.
import type { z } from 'zod'

/** Where an id goes. `name`: the field, also of a list of ids. */
export class IdSlot {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** What a schema says of itself, as far as is read here. */
type Def = {
  type: string
  shape?: Record<string, z.ZodType>
  innerType?: z.ZodType
  element?: z.ZodType
  options?: z.ZodType[]
  in?: z.ZodType
  getter?: () => z.ZodType
  entries?: Record<string, string>
  values?: unknown[]
  format?: string
}
export const defOf = (schema: z.ZodType) => schema._zod.def as unknown as Def
/** Bounds that checks leave behind on a schema. */
export const bagOf = (schema: z.ZodType) =>
  schema._zod.bag as { minimum?: number; maximum?: number; format?: string }

export type InputWish = {
  /** A value for each field, by its name, that cannot be read from its type: a cron line, an address. */
  words: Readonly<Record<string, unknown>>
  /** Texts that are ids although they are no UUIDs. */
  ids?: readonly string[]
  /** Optional fields that are to be there. Those that hold an id always are. */
  with?: readonly string[]
}

/** The inputs of a schema that differ in kind: one for each member of a union, ids held open. Throws for what it cannot make. */
export function inputsOf(schema: z.ZodType, wish: InputWish): unknown[] {
  return make(schema, '', wish)
}

const hasSlot = (value: unknown): boolean =>
  value instanceof IdSlot ||
  (typeof value === 'object' && value !== null && Object.values(value).some(hasSlot))

function make(schema: z.ZodType, name: string, wish: InputWish): unknown[] {
  const def = defOf(schema)
  if (wish.ids?.includes(name) === true && def.type === 'string') return [new IdSlot(name)]
  const isId = def.type === 'string' && (def.format === 'uuid' || bagOf(schema).format === 'uuid')
  if (isId) return [new IdSlot(name)]
  if (Object.hasOwn(wish.words, name) && !['optional', 'default', 'nullable'].includes(def.type))
    return [wish.words[name]]
  switch (def.type) {
    case 'object':
      return makeObject(def.shape ?? {}, wish)
    case 'union':
      return (def.options ?? []).flatMap(option => make(option, name, wish))
    case 'array':
      return make(def.element as z.ZodType, name, wish).map(each =>
        hasSlot(each) || (bagOf(schema).minimum ?? 0) > 0 ? [each] : [],
      )
    case 'optional':
    case 'nullable':
    case 'default':
    case 'readonly':
      return make(def.innerType as z.ZodType, name, wish)
    case 'pipe':
      return make(def.in as z.ZodType, name, wish)
    case 'lazy':
      return make((def.getter as () => z.ZodType)(), name, wish)
    case 'enum':
      return [Object.values(def.entries ?? {})[0]]
    case 'literal':
      return [def.values?.[0]]
    case 'boolean':
      return [false]
    case 'number':
      return [Math.max(1, bagOf(schema).minimum ?? 1)]
    case 'record':
      return [{}]
    case 'undefined':
    case 'void':
      return [undefined]
    default:
      throw new Error(`nobody has said what "${name}" is like, a ${def.format ?? def.type}`)
  }
}

function makeObject(shape: Record<string, z.ZodType>, wish: InputWish): unknown[] {
  let made: Record<string, unknown>[] = [{}]
  for (const [name, field] of Object.entries(shape)) {
    const isOptional = field.safeParse(undefined).success
    if (isOptional && wish.with?.includes(name) !== true && !holdsId(field, name, wish)) continue
    const values = make(field, name, wish)
    made = values.flatMap(value => made.map(each => Object.assign({}, each, { [name]: value })))
  }
  return made
}

function holdsId(field: z.ZodType, name: string, wish: InputWish): boolean {
  try {
    return make(field, name, { ...wish, words: {} }).some(hasSlot)
  } catch {
    return false
  }
}

/** The slots of an input, in order. */
export function slotsIn(value: unknown): IdSlot[] {
  if (value instanceof IdSlot) return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(slotsIn) : []
}

/** The input with every slot filled. */
export function fillSlots(value: unknown, idFor: (slot: IdSlot) => unknown): unknown {
  if (value instanceof IdSlot) return idFor(value)
  if (Array.isArray(value)) return value.map(each => fillSlots(each, idFor))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, fillSlots(each, idFor)]))
}
