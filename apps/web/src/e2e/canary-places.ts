// The places where a secret must not be, as texts that can be searched.
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { zstdDecompressSync } from 'node:zlib'
import type { TestServer } from '@restic-manager/server/testing'
import { nodeEnvironment } from '@restic-manager/testkit/node-environment'

const admin = fileURLToPath(new URL('../../../server/src/admin.ts', import.meta.url))

/** Every row of every table that is not PostgreSQL's own, as text. */
export async function dumpTables({ db }: TestServer): Promise<string> {
  const tables = await db.execute<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema')`,
  )
  if (tables.length < 20) throw new Error(`only ${tables.length} tables are there`)
  const rows = await Promise.all(
    tables.map(({ name }) =>
      db.execute<{ row: string }>(`select row_to_json(t)::text as row from ${name} t`),
    ),
  )
  return rows.flatMap(table => table.map(({ row }) => row)).join('\n')
}

/** What is in the file of `admin backup`: its header, and all rows as it has them. */
export async function readBackup({ databaseUrl, secretKeyFile }: TestServer): Promise<string> {
  const folder = await mkdtemp('/tmp/rm-canary-')
  const file = path.join(folder, 'server.dump')
  const env = { ...nodeEnvironment, DATABASE_URL: databaseUrl, RM_SECRET_KEY_FILE: secretKeyFile }
  await promisify(execFile)(process.execPath, [admin, 'backup', '--to', file], {
    env: { ...env, RM_DATA_DIR: folder },
  })
  const content = await readFile(file)
  const rowsAt = content.indexOf('\n', content.indexOf('\n') + 1) + 1
  const rows = zstdDecompressSync(content.subarray(rowsAt, content.lastIndexOf('\nsha256 ')))
  await rm(folder, { recursive: true })
  return `${content.toString('utf8', 0, rowsAt)}${rows.toString('utf8')}`
}

/** Every file of an agent's state, but those that are there to hold a secret. */
export function readState(stateDir: string, { but }: { but: readonly string[] }): string {
  const names = readdirSync(stateDir, { recursive: true, withFileTypes: true }).filter(
    entry => entry.isFile() && !but.includes(entry.name),
  )
  return names
    .map(({ parentPath, name }) => `${name}\n${readFileSync(path.join(parentPath, name), 'utf8')}`)
    .join('\n')
}

/** Keeps every command line and title of every process on the machine, for as long as it is not disposed of. */
export function watchCommandLines() {
  const seen = new Set<string>()
  const look = () => {
    for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name)))
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
      } catch {
        // It ended between the two looks.
      }
  }
  const timer = setInterval(look, 20)
  return {
    all: () => [...seen].join('\n'),
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
