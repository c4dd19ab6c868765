// Identifiers: every row, job and report has a UUID; the ones we make sort by time.
import { z } from 'zod'

/** Any identifier of the system: a UUID in its lower- or upper-case text form. */
export const Id = z.uuid()
export type Id = z.infer<typeof Id>

export { newId } from './new-id.ts'
