// The client that Drizzle gets: everything passes the gate, and what met another transaction begins again.
import { setTimeout as sleep } from 'node:timers/promises'
import type postgres from 'postgres'
import type { Gate } from './gate.ts'
import { createHotStatements } from './hot-statements.ts'
import { outageIn } from './outage.ts'
import { answerChanged, deadlockDetected, hasSqlState, serializationFailure } from './sql-state.ts'

type Guard = {
  gate: Gate
  /** Said first in each transaction: behind a pooler a session cannot be told for good. */
  preamble?: string | undefined
  /** Hears the code of everything the database could not do for the moment. */
  onTrouble?: ((code: string) => void) | undefined
}

type Ask = postgres.PendingQuery<postgres.Row[]>
type Scope = (tx: postgres.TransactionSql) => Promise<unknown>

/** A transaction that met others this often is refused. */
const TRIES = 5

/**
 * Makes of a pool what Drizzle needs of a client. A deadlock or a serialization failure undoes the whole transaction, so
 * that one is done again from its start: what is given to `begin` must do nothing outside of the database.
 */
export function guardClient(pool: postgres.Sql, { gate, preamble, onTrouble }: Guard): postgres.Sql {
  const hot = createHotStatements()
  /** Where the pool itself prepares nothing, as behind a pooler, this does not either. */
  const prepared = (query: string, parameters: unknown[] = [], options?: postgres.UnsafeQueryOptions) =>
    parameters.length > 0 && hot.use(query) ? { ...options, prepare: true } : options

  async function pass<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await gate.pass(() => untilNothingIsInTheWay(act, hot.stop))
    } catch (error) {
      const outage = outageIn(error)
      if (outage !== undefined) onTrouble?.(outage.code)
      throw error
    }
  }

  function unsafe(query: string, parameters?: never[], options?: postgres.UnsafeQueryOptions) {
    const ask = <T>(shape: (asked: Ask) => PromiseLike<T>) =>
      pass(async () => shape(pool.unsafe(query, parameters, prepared(query, parameters, options))))
    let answer: Promise<postgres.Row[]> | undefined
    return {
      // oxlint-disable-next-line unicorn/no-thenable -- as the driver: asked once somebody waits for it, and only once
      then: (...heard: Parameters<Promise<unknown>['then']>) =>
        (answer ??= ask(asked => asked)).then(...heard),
      values: () => ask(asked => asked.values()),
    }
  }

  const begin = (scope: Scope) =>
    pass(() =>
      pool.begin(tx => {
        // Not waited for: it travels with the first statement, and its failure fails the transaction.
        if (preamble !== undefined) void tx.unsafe(preamble).execute()
        const ask: typeof tx.unsafe = tx.unsafe.bind(tx)
        const unsafeInside: typeof tx.unsafe = (query, parameters, options) =>
          ask(query, parameters, prepared(query, parameters, options))
        return scope(Object.assign(tx, { unsafe: unsafeInside }))
      }),
    )

  return { options: pool.options, unsafe, begin } as unknown as postgres.Sql
}

async function untilNothingIsInTheWay<T>(act: () => Promise<T>, stopPreparing: () => void): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await act()
    } catch (error) {
      const isOutdated = hasSqlState(error, answerChanged)
      if (isOutdated) stopPreparing()
      const wasUndone =
        isOutdated || hasSqlState(error, deadlockDetected) || hasSqlState(error, serializationFailure)
      if (!wasUndone || tried >= TRIES) throw error
      await sleep(Math.random() * 20 * 2 ** tried)
    }
  }
}
