// Whether the database answers and has this version's tables: asked on a connection of its own, with a deadline.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { migrationsFolder } from './migrate.ts'
import { connect } from './open.ts'

export type ReadyCheck = { ask(): Promise<'database' | 'migrations' | undefined>; close(): Promise<void> }

const deadlineMs = 2_000
/** One answer serves everybody who asks within this time. */
const freshMs = 1_000

/** Never throws and never takes longer than two seconds, whatever the database does. */
export function createReadyCheck(url: string): ReadyCheck {
  const sql = connect(url, {
    max: 1,
    connect_timeout: 2,
    connection: { application_name: 'restic-manager ready', statement_timeout: deadlineMs },
  })
  const newest = newestMigration()
  let asked: { at: number; answer: Promise<'database' | 'migrations' | undefined> } | undefined

  async function look() {
    const [row] = await sql`select max(created_at) as newest from drizzle.__drizzle_migrations`
    return Number(row?.['newest'] ?? 0) >= newest ? undefined : 'migrations'
  }

  return {
    ask() {
      if (asked === undefined || performance.now() - asked.at > freshMs) {
        const { promise: late, resolve } = Promise.withResolvers<'database'>()
        const timer = setTimeout(() => resolve('database'), deadlineMs)
        const looked = look().catch((error: unknown) => (isMissingTable(error) ? 'migrations' : 'database'))
        const answer = Promise.race([looked, late]).finally(() => clearTimeout(timer))
        asked = { at: performance.now(), answer }
      }
      return asked.answer
    },
    close: () => sql.end({ timeout: 1 }),
  }
}

const isMissingTable = (error: unknown) => error instanceof Error && 'code' in error && error.code === '42P01'

function newestMigration(): number {
  const journal = readFileSync(join(migrationsFolder(), 'meta/_journal.json'), 'utf8')
  const { entries } = JSON.parse(journal) as { entries: { when: number }[] }
  return Math.max(0, ...entries.map(entry => entry.when))
}
