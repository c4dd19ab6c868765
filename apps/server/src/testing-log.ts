// For tests only: what a server writes to its log is kept from the lowest level up, and searched for secrets when the server goes.
import { readFile } from 'node:fs/promises'
import { createLog, type Log } from '@restic-manager/runtime/log'
import { refuseSecrets, type Secret } from '@restic-manager/testkit/canaries'
import type { Db } from './db/open.ts'
import { credentials } from './db/schema-credentials.ts'
import { makeSeal } from './db/seal.ts'
import { loadSealingKey } from './db/sealing-keys.ts'

const levelOf = (line: string) => Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? 0)

/** A log that keeps everything. What a person at the tests wants to see, from `level` up, goes to standard error too. */
export function keepLog(level: string): { log: Log; text: () => string } {
  const lines: string[] = []
  const shownFrom = createLog({ level, write: () => {} }).levelVal
  const write = (line: string) => {
    lines.push(line)
    if (levelOf(line) >= shownFrom) process.stderr.write(line)
  }
  return { log: createLog({ level: 'trace', write }), text: () => lines.join('') }
}

/** Throws when `text` shows a secret: one of `known`, one that the database holds, the sealing key, or anything that looks like a token. */
export async function refuseSecretsIn(
  text: string,
  { db, secretKeyFile, known }: { db: Db; secretKeyFile: string; known: readonly Secret[] },
): Promise<void> {
  const kept = await secretsOf(db, secretKeyFile).catch(() => []) // a test may have ended the database, or moved the key
  refuseSecrets('The log of the server', text, [...known, ...kept])
}

async function secretsOf(db: Db, secretKeyFile: string): Promise<Secret[]> {
  const key = await loadSealingKey(secretKeyFile, { make: false })
  const seal = makeSeal(key)
  const rows = await db.select().from(credentials)
  const opened = rows.flatMap(({ id, purpose, sealed }) => {
    try {
      const value = seal.open(sealed, { table: 'credentials', row: id, column: 'sealed' }).reveal()
      return [{ name: `a ${purpose} secret of a repository`, value }]
    } catch {
      return [] // sealed with another key, or forged by a test
    }
  })
  const written = { name: 'the sealing key', value: (await readFile(secretKeyFile, 'utf8')).trim() }
  return [...opened, written, { name: 'the sealing key', value: key }]
}
