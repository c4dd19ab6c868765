// I8: no secret stands in plain text anywhere it can be read: tables, logs, what programs wrote, arguments, spools.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { readLogs } from './logs.ts'
import { shownBy, type Check, type World } from './world.ts'
import type { Secret } from './evidence.ts'

type Find = { secret: string; where: string }

export const checkSecrets: Check = async world => {
  const { secrets } = world.evidence
  if (secrets.length === 0) return []
  const finds = [
    ...(await inTables(world)),
    ...(await inLogs(world)),
    ...world.evidence.outputs.flatMap(({ name, text }) => inText(secrets, text, `the output of ${name}`)),
    ...world.runs.flatMap(({ run, argv }) =>
      inText(secrets, argv.join(' '), `the arguments of restic run ${run}`),
    ),
    ...world.evidence.realAgents.flatMap(({ stateDir }) =>
      ['state.db', 'logs.db'].flatMap(name => inSpool(secrets, join(stateDir, name))),
    ),
  ]
  return shownBy('I8', 'A secret can be read where none may be.', finds)
}

const inText = (secrets: readonly Secret[], text: string, where: string): Find[] =>
  secrets.filter(({ value }) => text.includes(value)).map(({ name }) => ({ secret: name, where }))

/** Every column of every table of ours, as text. Values are escaped in no way that a secret of ours would need. */
async function inTables({ sql, evidence }: World): Promise<Find[]> {
  const tables = await sql<{ schema: string; name: string }[]>`
    select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_toast%'`
  const finds: Find[] = []
  for (const { schema, name } of tables) {
    const found = await sql<{ secret: string }[]>`
      select distinct said.name as secret from ${sql(`${schema}.${name}`)} as entry
        join jsonb_to_recordset(${sql.json(evidence.secrets)}::jsonb) as said(name text, value text) on strpos(entry::text, said.value) > 0`
    finds.push(...found.map(({ secret }) => ({ secret, where: `the table ${schema}.${name}` })))
  }
  return finds
}

/** Logs are compressed in their table, so they are read as their readers do. */
async function inLogs(world: World): Promise<Find[]> {
  const finds: Find[] = []
  for await (const { jobId, entries } of readLogs(world))
    finds.push(...inText(world.evidence.secrets, JSON.stringify(entries), `the log of job ${jobId}`))
  return finds
}

function inSpool(secrets: readonly Secret[], path: string): Find[] {
  if (!existsSync(path)) return []
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
  try {
    const tables = db.prepare(`select name from sqlite_master where type = 'table'`).all()
    return tables.flatMap(({ name }) => {
      const found = new Set<string>()
      for (const row of db.prepare(`select * from "${String(name)}"`).iterate()) {
        const text = Object.values(row).join('\n')
        for (const secret of secrets) if (text.includes(secret.value)) found.add(secret.name)
      }
      return [...found].map(secret => ({ secret, where: `${path}, table ${String(name)}` }))
    })
  } finally {
    db.close()
  }
}
