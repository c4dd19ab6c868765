// Whether the database answers and has this version's tables: asked on a connection of its own, with a deadline.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { migrationsFolder } from './migrate.ts'
import { connect } from './open.ts'
import { hasSqlState } from './sql-state.ts'

type Answer = 'database' | 'migrations' | undefined

export type ReadyCheck = {
  /** What is wrong; undefined: nothing. Never throws and never takes longer than two seconds, whatever the database does. */
  ask(): Promise<Answer>
  /** Since when the database has not answered, undefined while it does: as it is now, then whenever that changes. */
  silences(signal: AbortSignal): AsyncGenerator<Date | undefined>
  close(): Promise<void>
}

const deadlineMs = 2_000
/** One answer serves everybody who asks within this time. */
const freshMs = 1_000
/** How often it is asked while somebody wants to hear of silences. */
const lookMs = 2_000

/**
 * Asks the way the server's own calls go: through a pooler where there is one. A database that does not let the server hear of changes
 * (`isDeaf`) is as good as silent. Does nothing while nobody asks.
 */
export function createReadyCheck(url: string, isDeaf: () => boolean = () => false): ReadyCheck {
  const sql = connect(url, {
    max: 1,
    prepare: false,
    connect_timeout: deadlineMs / 1_000,
    answer_timeout: deadlineMs / 1_000,
    connection: { application_name: 'restic-manager ready' },
  })
  const newest = newestMigration()
  let asked: { at: number; answer: Promise<Answer> } | undefined
  let looking: Promise<Answer> | undefined
  let answeredAt = new Date()

  /** One at a time: during a long silence nothing piles up that would have to be answered first at its end. */
  function look(): Promise<Answer> {
    looking ??= readNewest().then(answer => {
      looking = undefined
      if (answer !== 'database') answeredAt = new Date()
      return answer
    })
    return looking
  }

  async function readNewest(): Promise<Answer> {
    try {
      const [row] = await sql`select max(created_at) as newest from drizzle.__drizzle_migrations`
      if (isDeaf()) return 'database'
      return Number(row?.['newest'] ?? 0) >= newest ? undefined : 'migrations'
    } catch (error) {
      return hasSqlState(error, undefinedTable) ? 'migrations' : 'database'
    }
  }

  function ask() {
    if (asked === undefined || performance.now() - asked.at > freshMs) {
      const { promise: late, resolve } = Promise.withResolvers<'database'>()
      // When our own event loop stood still, the answer may be there and unread.
      const timer = setTimeout(() => setImmediate(() => resolve('database')), deadlineMs)
      asked = {
        at: performance.now(),
        answer: Promise.race([look(), late]).finally(() => clearTimeout(timer)),
      }
    }
    return asked.answer
  }

  return {
    ask,
    async *silences(signal) {
      let said: Date | undefined | null = null
      while (!signal.aborted) {
        const since: Date | undefined = (await ask()) === 'database' ? (said ?? answeredAt) : undefined
        if (since !== said) {
          said = since
          yield since
        }
        await sleep(lookMs, undefined, { signal, ref: false }).catch(() => {})
      }
    },
    close: () => sql.end({ timeout: 1 }),
  }
}

const undefinedTable = '42P01'

function newestMigration(): number {
  const journal = readFileSync(join(migrationsFolder(), 'meta/_journal.json'), 'utf8')
  const { entries } = JSON.parse(journal) as { entries: { when: number }[] }
  return Math.max(0, ...entries.map(entry => entry.when))
}
