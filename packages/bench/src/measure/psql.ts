// Debian's psql on a database of ours, as the limit of how fast lines can be written to PostgreSQL.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Whether there is a psql on this machine. A benchmark without it says so and is left out. */
export async function hasPsql(): Promise<boolean> {
  return run('psql', ['--version']).then(
    () => true,
    () => false,
  )
}

/** Runs one command of psql on the database at `url`, whose password goes by the environment. Throws what psql said. */
export async function runPsql(url: string, command: string): Promise<void> {
  const address = new URL(url)
  const host = address.searchParams.get('host') ?? address.hostname
  await run('psql', ['--no-psqlrc', '--quiet', '--set', 'ON_ERROR_STOP=1', '--command', command], {
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      PGHOST: host,
      PGPORT: address.port === '' ? '5432' : address.port,
      PGUSER: decodeURIComponent(address.username),
      PGPASSWORD: decodeURIComponent(address.password),
      PGDATABASE: address.pathname.slice(1),
    },
  })
}
