// What one setting of the server is, and what is said of one that cannot be used.
import type { z } from 'zod'

/** A setting that cannot be used. The message names the variable, the value seen and what is accepted. */
export class BadSetting extends Error {}

/** How a variable is read. `accepted` ends the sentence about a bad value, which shows it unless it is `secret`; of an `address` only the password is left out. */
export type Variable = {
  shape: z.ZodType<unknown, string>
  accepted: string
  fallback?: string
  help: string
  secret?: true | 'address'
}
