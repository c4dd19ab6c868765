// The settings that say where the sealing keys come from.
import { resolve } from 'node:path'
import { Secret } from '@restic-manager/runtime/secret'
import { z } from 'zod'
import type { Keys } from './db/open-seal.ts'
import { holdsKey, type KeySource } from './db/sealing-keys.ts'
import { BadSetting, type Variable } from './setting.ts'

const file = { shape: z.string().min(1), accepted: 'a file with 32 random bytes' }
const value = {
  shape: z
    .string()
    .refine(holdsKey)
    .transform(text => new Secret(text)),
  accepted: '32 random bytes as hex or base64',
  secret: true as const,
}
const command = {
  shape: z.string().transform(readCommand),
  accepted: 'a JSON array of texts, such as ["/usr/bin/pass","show","restic-manager"]',
}

export const keyVariables = {
  RM_SECRET_KEY_FILE: {
    ...file,
    help: 'the key that seals secrets; made at the first start (default: secret.key in the data directory)',
  },
  RM_SECRET_KEY: { ...value, help: 'instead of the file: the key itself' },
  RM_SECRET_KEY_COMMAND: {
    ...command,
    help: 'instead of the file: a program that prints the key, and its arguments; no shell',
  },
  RM_OLD_SECRET_KEY_FILE: {
    ...file,
    help: 'the key that the other one takes the place of, until `rotate-key` has ended',
  },
  RM_OLD_SECRET_KEY: { ...value, help: 'instead of that file: the old key itself' },
  RM_OLD_SECRET_KEY_COMMAND: { ...command, help: 'instead of that file: a program that prints the old key' },
} as const satisfies Record<string, Variable>

type Read = <Name extends keyof typeof keyVariables>(
  name: Name,
) => z.output<(typeof keyVariables)[Name]['shape']> | undefined

/** Where the keys come from: each from one place. Throws a `BadSetting`. */
export function readKeys(read: Read, dataDir: string): Keys {
  const sourceOf = (name: 'RM_SECRET_KEY' | 'RM_OLD_SECRET_KEY'): KeySource | undefined => {
    const [file, value, command] = [read(`${name}_FILE`), read(name), read(`${name}_COMMAND`)]
    const sources: (KeySource | undefined)[] = [
      file === undefined ? undefined : { file: resolve(file) },
      value && { value },
      command && { command },
    ]
    const [source, ...more] = sources.filter(each => each !== undefined)
    if (more.length > 0)
      throw new BadSetting(
        `Of ${name}_FILE, ${name} and ${name}_COMMAND more than one is set. Accepted: one.`,
      )
    return source
  }
  return {
    key: sourceOf('RM_SECRET_KEY') ?? { file: resolve(dataDir, 'secret.key') },
    old: sourceOf('RM_OLD_SECRET_KEY'),
  }
}

function readCommand(text: string, ctx: z.RefinementCtx): string[] {
  try {
    return z.array(z.string()).min(1).parse(JSON.parse(text))
  } catch {
    ctx.addIssue({ code: 'custom' })
    return z.NEVER
  }
}
