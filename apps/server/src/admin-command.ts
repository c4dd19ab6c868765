// What an admin command is, and how it reads its part of the command line.
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import type { z } from 'zod'
import type { Log } from '@restic-manager/runtime/log'
import type { Config } from './config.ts'

/** A command line that cannot be understood. */
export class BadUsage extends Error {}

/** What was said on the command line: texts, and the flags that stand there. */
export type Values = { texts: Partial<Record<string, string>>; flags: ReadonlySet<string> }

/** `signal` aborts when somebody asks the program to stop. */
export type Surroundings = { config: Config; log: Log; signal: AbortSignal }

/** `prepare` checks the command line before any database is touched; its answer does the work and returns what to print. */
export type Command = {
  usage: string
  /** One line for the list of commands. */
  help: string
  texts: readonly string[]
  flags?: readonly string[]
  prepare(values: Values): Promise<(surroundings: Surroundings) => Promise<string>>
}

/** Reads what `command` takes. Throws `BadUsage` for anything else. */
export function readValues({ texts, flags = [] }: Command, args: string[]): Values {
  const options: ParseArgsOptionsConfig = {
    ...Object.fromEntries(texts.map(name => [name, { type: 'string' }])),
    ...Object.fromEntries(flags.map(name => [name, { type: 'boolean' }])),
  }
  try {
    const said = Object.entries(parseArgs({ args, options }).values)
    return {
      texts: Object.fromEntries(
        said.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
      ),
      flags: new Set(said.flatMap(([name, value]) => (value === true ? name : []))),
    }
  } catch (error) {
    throw new BadUsage(error instanceof Error ? error.message : String(error))
  }
}

/** The text of an option that has to be there. */
export function required({ texts }: Values, name: string): string {
  const value = texts[name]
  if (value === undefined || value === '') throw new BadUsage(`--${name} is missing.`)
  return value
}

/** A value that `schema` takes. */
export function read<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  flag: string,
): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new BadUsage(`${flag} cannot be used: ${parsed.error.issues[0]?.message ?? 'it is not valid'}.`)
}
