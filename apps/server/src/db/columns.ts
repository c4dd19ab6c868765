// Kinds of columns that more than one file of tables uses.
import { bigint, customType, timestamp } from 'drizzle-orm/pg-core'

/** An instant, with milliseconds: cursors of lists compare it with what JavaScript knows. */
export const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' })
export const bytes = (name: string) => bigint(name, { mode: 'number' })
export const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' })
