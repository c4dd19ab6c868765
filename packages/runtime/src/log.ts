// The log of both programs: one JSON object a line on standard error, with known secrets cut out.
import pino, { type Logger } from 'pino'

/** Takes `log.info({ facts }, 'sentence')` and the like. */
export type Log = Logger

const secretKeys = [
  'password',
  'secret',
  'token',
  'bearer',
  'credential',
  'authorization',
  'cookie',
  'privateKey',
  'databaseUrl',
]

/** A log that writes from `level` up. Values under the names of secrets never appear. */
export function createLog({ level }: { level: string }): Log {
  const paths = secretKeys.flatMap(key => [key, `*.${key}`])
  return pino({ level, base: null, redact: { paths, censor: '[redacted]' } }, pino.destination({ fd: 2, sync: true }))
}
