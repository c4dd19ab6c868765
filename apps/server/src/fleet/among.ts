// Rows whose id is one of many, said as one parameter: a list of a hundred costs both ends more to write and to read.
import { type SQL, sql, type SQLWrapper } from 'drizzle-orm'

/** None, when there are no ids. */
export const isAmong = (id: SQLWrapper, ids: readonly string[]): SQL =>
  sql`${id} = any(${sql.param([...ids])}::uuid[])`
