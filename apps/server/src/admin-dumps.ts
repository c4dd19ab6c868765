// Admin commands that write the whole database into one file, and put it back.
import { resolve } from 'node:path'
import { sql } from 'drizzle-orm'
import { type Command, required } from './admin-command.ts'
import { reachDatabase } from './admin-database.ts'
import { openDump, refuseToOverwrite, type DumpHeader } from './db/dump-file.ts'
import { restoreDatabase } from './db/dump-restore.ts'
import { dumpDatabase } from './db/dump.ts'
import { openDatabase } from './db/open.ts'
import type { Keys } from './db/open-seal.ts'
import { fingerprintOf, loadKey, nameOf } from './db/sealing-keys.ts'
import { codesIn, diskFull, readOnlyTransaction } from './db/sql-state.ts'
import { adminCommand, writeAudit } from './fleet/audit.ts'
import { version } from './version.ts'

const takesNoChanges = new Set([diskFull, readOnlyTransaction])

/** Writes the database, as it is at one moment, into a file. Servers may go on. */
export const backupCommand: Command = {
  usage: '--to FILE [--overwrite]',
  help: 'writes the whole database into one file, also while servers run; the key is not in it',
  texts: ['to'],
  flags: ['overwrite'],
  async prepare(values) {
    const file = resolve(required(values, 'to'))
    const overwrite = values.flags.has('overwrite')
    if (!overwrite) await refuseToOverwrite(file)
    return async ({ config, log, signal }) => {
      let isTold = false
      const { header, bytes } = await reachDatabase(config, log, {}, url =>
        dumpDatabase(url, file, {
          ...{ version, overwrite, signal },
          // First, so that nothing leaves without a row, and the row is in the file.
          onBegin: async () => void (isTold = await tellOfBackup(url, file)),
        }),
      )
      return [
        `${file} holds ${countsOf(header)} as of ${header.madeAt} (${bytes} bytes).`,
        await adviseOnKey(header.keyFingerprint, config.secretKeys),
        ...(isTold ? [] : ['The audit log has no row of this backup: the database takes no changes now.']),
      ].join('\n')
    }
  },
}

/** Puts such a file back. No server may run. */
export const restoreCommand: Command = {
  usage: '--from FILE [--replace]',
  help: 'puts such a file into an empty database, or with --replace in place of what is there; no server may run',
  texts: ['from'],
  flags: ['replace'],
  async prepare(values) {
    const file = resolve(required(values, 'from'))
    const replace = values.flags.has('replace')
    return async ({ config, log, signal }) => {
      // All of the file is read before any database is touched.
      await using dump = await openDump(file)
      const fingerprints = (await keysAtHand(config.secretKeys)).map(({ fingerprint }) => fingerprint)
      await reachDatabase(config, log, { alone: true }, async url => {
        await restoreDatabase(url, dump, { fingerprints, replace, signal })
        await tellOfRestore(url, dump.header)
      })
      return [
        `The database holds ${countsOf(dump.header)} as of ${dump.header.madeAt}.`,
        'Start the server. Hosts come back by themselves and tell again what has happened since.',
      ].join('\n')
    }
  },
}

/** Answers false for a database that takes no changes, such as a standby or one on a full disk: then a backup matters most. */
async function tellOfBackup(url: string, file: string): Promise<boolean> {
  try {
    await addRow(url, 'admin backup', { file })
    return true
  } catch (error) {
    if (codesIn(error).some(code => takesNoChanges.has(code))) return false
    throw error
  }
}

/** The record goes on from where the dump ends. */
const tellOfRestore = (url: string, { madeAt, version: by }: DumpHeader) =>
  addRow(url, 'admin restore', { dumpMadeAt: madeAt, dumpMadeBy: by })

/** A database of a version that kept no record has no place for a row. */
async function addRow(url: string, action: string, after: Record<string, string>) {
  const { db, close } = openDatabase(url, { max: 2 })
  try {
    const [there] = await db.execute<{ has: boolean }>(
      sql`select to_regclass('public.audit_events') is not null as has`,
    )
    if (there?.has !== true) return
    await db.transaction(tx => writeAudit(tx, { actor: adminCommand, action, after }))
  } finally {
    await close()
  }
}

function countsOf({ tables }: DumpHeader): string {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0)
  return `${tables.length} tables with ${rows} rows`
}

/** The keys that are there, the own one first. */
async function keysAtHand({ key, old }: Keys) {
  const sources = old === undefined ? [key] : [key, old]
  const loaded = await Promise.all(
    sources.map(async source => ({ name: nameOf(source), key: await loadKey(source, { make: false }) })),
  )
  return loaded.flatMap(({ name, key }) =>
    key === undefined ? [] : [{ name, fingerprint: fingerprintOf(key) }],
  )
}

async function adviseOnKey(needed: string | null, keys: Keys): Promise<string> {
  if (needed === null) return 'No secret was sealed in it yet.'
  const [first, ...more] = await keysAtHand(keys)
  const sealed = `Its secrets stay sealed with the key ${needed}, which is not in it.`
  const found = [first, ...more].find(key => key?.fingerprint === needed)
  if (found !== undefined)
    return `${sealed} That key comes from ${found.name}: keep a copy of it too, apart from this file. Without it the stored passwords are lost.`
  const seen = first === undefined ? 'is missing' : `holds another one (${first.fingerprint})`
  return `${sealed} Look for that key: ${nameOf(keys.key)} ${seen}. Without it the stored passwords are lost.`
}
