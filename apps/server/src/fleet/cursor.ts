// Cursors of lists: the sort keys of the last row, opaque to whoever sends them back.
import type { z } from 'zod'
import { Refusal } from '@restic-manager/contract/refusal'

/** The place after a row with these sort keys. */
export const cursorAt = (keys: readonly (string | number | null)[]): string =>
  Buffer.from(JSON.stringify(keys)).toString('base64url')

/** The keys in a cursor, undefined for the beginning. Throws `bad_input` for one that no list has given out. */
export function keysOf<T>(schema: z.ZodType<T>, cursor: string | undefined): T | undefined {
  if (cursor === undefined) return undefined
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')))
  } catch {
    throw new Refusal('bad_input', 'cursor: is not one this list has given out')
  }
}
