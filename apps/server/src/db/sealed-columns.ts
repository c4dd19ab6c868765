// Every column that holds sealed texts. What a new sealing key has to wrap anew is found here and nowhere else.
import { sql } from 'drizzle-orm'
import type { Db } from './open.ts'

/**
 * `key` names a row; `only`: the rows that are sealed, where others are not; `json`: the column is jsonb. A test compares this list
 * with what is in a database, and the type of `SealPlace` lets nobody seal for another place.
 */
export const sealedColumns = [
  { table: 'credentials', key: 'id', column: 'sealed' },
  { table: 'operator_two_factors', key: 'id', column: 'secret' },
  { table: 'settings', key: 'name', column: 'value', only: ['auth_secret'], json: true },
] as const

export type SealedColumn = (typeof sealedColumns)[number]

/** Where a sealed text belongs. Moved to another row or column, it does not open. */
export type SealPlace = { table: SealedColumn['table']; row: string; column: SealedColumn['column'] }

/** With which keys everything that is stored is sealed. */
export async function keysInUse(db: Db): Promise<{ fingerprint: string; secrets: number }[]> {
  const parts = sealedColumns.map(
    of => sql`select ${sealedText(of)} as sealed from ${sql.identifier(of.table)} where ${isSealed(of)}`,
  )
  const rows = await db.execute<{ fingerprint: string; secrets: number }>(sql`
    select split_part(sealed, '.', 2) as fingerprint, count(*)::int as secrets
    from (${sql.join(parts, sql` union all `)}) as everything group by 1 order by 1`)
  return [...rows]
}

/** The sealed text of a row. */
export const sealedText = (of: SealedColumn) =>
  'json' in of ? sql`${sql.identifier(of.column)} #>> '{}'` : sql`${sql.identifier(of.column)}`

/** Which rows of the table are sealed. */
export const isSealed = (of: SealedColumn) =>
  'only' in of
    ? sql`${sql.identifier(of.key)} in (${sql.join(
        of.only.map(name => sql`${name}`),
        sql`, `,
      )})`
    : sql`true`
