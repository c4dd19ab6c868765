// The log of both programs, on standard error: one JSON object a line, or lines for people on a terminal. Known secrets are cut out.
import { isatty } from 'node:tty'
import pino, { type Logger } from 'pino'
import { toHumanLine } from './human-line.ts'

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

const standardError = 2
/** What is kept of lines that cannot be written now. */
const keptBytes = 1024 * 1024

/** `write` takes the lines instead of standard error. */
type LogOptions = { level: string; human?: boolean; write?: (line: string) => void }

/**
 * A log that writes from `level` up. Values under the names of secrets never appear. It writes at once: the last line
 * before a crash is the one that matters.
 */
export function createLog({ level, human = isatty(standardError), write }: LogOptions): Log {
  const paths = secretKeys.flatMap(key => [key, `*.${key}`])
  const options = { level, base: null, redact: { paths, censor: '[redacted]' } }
  if (write !== undefined) return pino(options, { write })
  const destination = pino.destination({ dest: standardError, sync: true, maxLength: keptBytes })
  // Lines that a full disk does not take are lost. Without a listener they would take the program with them.
  destination.on('error', () => {})
  if (!human) return pino(options, destination)
  return pino(options, { write: line => void destination.write(toHumanLine(line)) })
}
