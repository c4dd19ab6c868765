// What PostgreSQL says of our tables: which hold rows worth keeping, their columns, partitions and ascending numbers.
import type postgres from 'postgres'
import type { DumpHeader } from './dump-file.ts'
import { quoted } from './dump-transaction.ts'

/** Tables that keep their rows, with the columns that can be written. One that is not logged is empty after a crash anyway. */
export async function findTables(
  tx: postgres.ISql,
  names: readonly string[],
): Promise<{ name: string; columns: string[] }[]> {
  const rows = await tx<{ name: string; columns: string[] }[]>`
    select relname as name, array(
        select attname::text from pg_attribute
        where attrelid = pg_class.oid and attnum > 0 and not attisdropped and attgenerated = ''
        order by attnum
      ) as columns
    from pg_class
    where relnamespace = 'public'::regnamespace and relname = any(${names}) and relkind in ('r', 'p')
      and relpersistence = 'p'
    order by relname`
  return rows.map(({ name, columns }) => ({ name, columns }))
}

/** The partitions of our tables and what belongs into each. */
export async function findPartitions(
  tx: postgres.ISql,
  names: readonly string[],
): Promise<DumpHeader['partitions']> {
  const rows = await tx<{ name: string; of: string; bound: string }[]>`
    select part.relname as name, whole.relname as of, pg_get_expr(part.relpartbound, part.oid) as bound
    from pg_inherits join pg_class part on part.oid = inhrelid join pg_class whole on whole.oid = inhparent
    where part.relispartition and whole.relnamespace = 'public'::regnamespace and whole.relname = any(${names})
    order by part.relname`
  return rows.map(({ name, of, bound }) => ({ name, of, range: rangeIn(bound) }))
}

function rangeIn(bound: string): { from: string; to: string } | null {
  if (bound === 'DEFAULT') return null
  const [, from, to] = /^FOR VALUES FROM \((.*)\) TO \((.*)\)$/.exec(bound) ?? []
  if (from === undefined || to === undefined)
    throw new Error(`A partition ${bound} cannot be kept in a dump.`)
  return { from, to }
}

/** Where the ascending numbers of our tables stand. */
export async function findNumbers(
  tx: postgres.ISql,
  names: readonly string[],
): Promise<DumpHeader['numbers']> {
  const columns = await tx<{ table: string; column: string; sequence: string }[]>`
    select relname as table, attname as column, pg_get_serial_sequence(format('public.%I', relname), attname) as sequence
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = 'public'::regnamespace and relname = any(${names}) and relkind in ('r', 'p') and relpersistence = 'p'
      and attnum > 0 and not attisdropped and pg_get_serial_sequence(format('public.%I', relname), attname) is not null
    order by relname, attnum`
  const numbers: DumpHeader['numbers'] = []
  for (const { table, column, sequence } of columns) {
    // PostgreSQL has quoted the name.
    const [row] = await tx.unsafe<{ last: string; used: boolean }[]>(
      `select last_value::text as last, is_called as used from ${sequence}`,
    )
    numbers.push({ table, column, last: row?.last ?? '1', used: row?.used ?? false })
  }
  return numbers
}

type Foreign = { table: string; name: string; definition: string }

/** Takes every foreign key of our tables off, so that rows may come in any order. Answers what puts them back. */
export async function liftForeignKeys(tx: postgres.ISql, names: readonly string[]): Promise<Foreign[]> {
  const keys = await tx<Foreign[]>`
    select relname as table, conname as name, pg_get_constraintdef(pg_constraint.oid) as definition
    from pg_constraint join pg_class on pg_class.oid = conrelid
    where contype = 'f' and conparentid = 0 and relnamespace = 'public'::regnamespace and relname = any(${names})
    order by relname, conname`
  for (const { table, name } of keys)
    await tx.unsafe(`alter table ${quoted(table)} drop constraint ${quoted(name)}`)
  return keys.map(({ table, name, definition }) => ({ table, name, definition }))
}

/** Puts a foreign key back, which looks at every row. */
export async function putForeignKey(tx: postgres.ISql, { table, name, definition }: Foreign): Promise<void> {
  await tx.unsafe(`alter table ${quoted(table)} add constraint ${quoted(name)} ${definition}`)
}
