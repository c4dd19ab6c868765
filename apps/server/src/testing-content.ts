// For tests only: all that a database holds, to be compared with that of another.
import type postgres from 'postgres'

/** Every row of every table as JSON, by table. An instant of today says only that it is one. */
export async function contentOf(sql: postgres.Sql): Promise<Record<string, string[]>> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema', 'drizzle')`
  const content: Record<string, string[]> = {}
  for (const { name } of tables) {
    const rows = await sql.unsafe<{ row: Record<string, unknown> }[]>(
      `select to_jsonb(t) as row from ${name} t`,
    )
    content[name] = rows
      .map(({ row }) => JSON.stringify(row, (_, value) => (isRecent(value) ? 'now' : value)))
      .toSorted()
  }
  return content
}

const isRecent = (value: unknown) =>
  typeof value === 'string' &&
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(value) &&
  Math.abs(Date.parse(value) - Date.now()) < 12 * 3_600_000
