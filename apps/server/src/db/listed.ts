// Lists as one parameter: however long they are, the text of a statement stays the same, and so does what it costs to put it together.
import { type SQL, sql, type SQLWrapper } from 'drizzle-orm'

/** The table `listed` with one column, `id`: these ids, a row each. To be written in a `from`. */
export const listedIds = (ids: readonly string[]): SQL =>
  sql`(select value::uuid as id from jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb)) as listed`

/** Whether `column` is one of these ids. */
export const isOneOf = (column: SQLWrapper, ids: readonly string[]): SQL =>
  sql`${column} in (select id from ${listedIds(ids)})`
