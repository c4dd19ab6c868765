// Admin command that checks whether the audit log is whole.
import { z } from 'zod'
import { type Command, read } from './admin-command.ts'
import { useDatabase } from './admin-database.ts'
import { checkAudit } from './fleet/audit-check.ts'

const Noted = z
  .string()
  .regex(/^\d{1,15}:[0-9a-fA-F]{64}$/, 'it is the number of a row, a colon and 64 hexadecimal digits')
  .transform(text => {
    const [number = '', hash = ''] = text.split(':')
    return { number: Number(number), hash }
  })

/** Reads every row and says how far the log goes; exits with 1 and a sentence when one is wrong or missing. */
export const verifyAuditCommand: Command = {
  usage: '[--expect NUMBER:HASH]',
  help: 'checks that no row of the audit log was changed or is missing; note what it prints elsewhere, and give it with --expect next time',
  texts: ['expect'],
  async prepare({ texts }) {
    const noted = texts['expect'] === undefined ? undefined : read(Noted, texts['expect'], '--expect')
    return ({ config, log }) =>
      useDatabase(config, log, async db => {
        const check = await checkAudit(db, noted)
        if ('wrong' in check) throw new Error(check.wrong)
        const { rows, hash, expired, notedHasExpired } = check
        if (rows === 0) return 'The audit log is empty.'
        const whole =
          expired === undefined
            ? `The audit log is whole: ${rows} rows.`
            : `The audit log is whole: rows ${expired.through + 1} to ${rows}. Those up to ${expired.through} were removed on ${expired.at.toISOString().slice(0, 10)}, being older than ${expired.keptDays} days: row ${expired.saidBy} says so, and holds the hash of the last of them.`
        const gone = notedHasExpired
          ? '\nThe row that was noted is one of those that were removed: whether it was the same cannot be told any more. Note the last row.'
          : ''
        return `${whole}${gone}\nLast row: ${rows}:${hash}`
      })
  },
}
