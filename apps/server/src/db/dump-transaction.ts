// One connection and one transaction for as long as it takes to read or write a whole database.
import type postgres from 'postgres'
import { connect } from './open.ts'

/**
 * What a dump is made of and read as, whatever the server of the database is set to. Not one of these is a query: in a
 * repeatable read the first query decides on the moment that is seen, and tables are to be locked before.
 */
const session = `
  set local client_encoding to 'UTF8';
  set local timezone to 'UTC';
  set local datestyle to 'ISO, MDY';
  set local intervalstyle to 'postgres';
  set local bytea_output to 'hex';
  set local extra_float_digits to 3;
  set local row_security to off;
  set local search_path to public;
  set local statement_timeout to 0;
  set local idle_in_transaction_session_timeout to 0;
  set local lock_timeout to '30s'`

/** How every connection of ours begins its name. */
export const ourApplications = 'restic-manager'

/**
 * Runs `work` in a transaction of its own, without limits in time. When it fails the connection is cut, and the transaction with
 * it: a `rollback` would have to wait for the end of a `copy` that nobody reads any more.
 */
export async function inOneTransaction<T>(
  url: string,
  { application, mode }: { application: string; mode: string },
  work: (tx: postgres.TransactionSql) => Promise<T>,
): Promise<T> {
  const sql = connect(url, {
    max: 1,
    idle_timeout: 0,
    max_lifetime: null,
    connection: { application_name: `${ourApplications} ${application}` },
  })
  let failure: { error: unknown } | undefined
  try {
    const result = await sql.begin(mode, async tx => {
      try {
        await tx.unsafe(session)
        return { value: await work(tx) }
      } catch (error) {
        failure = { error }
        void sql.end({ timeout: 0 })
        throw error
      }
    })
    return result.value
  } catch (error) {
    throw failure === undefined ? error : failure.error
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/** A name as it stands in SQL. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** Names as a list in SQL. */
export const quotedList = (names: readonly string[]): string => names.map(quoted).join(', ')
