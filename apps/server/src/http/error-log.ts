// What of an error may stand in the log: its kind, its place in the code, never the input that caused it.

export type LoggableError = { kind: string; code?: string; message?: string; stack: string[] }

/**
 * Takes an error apart for the log. Drizzle writes a statement's parameters into its message and PostgreSQL the
 * offending row into `detail`, so of those only PostgreSQL's own message stays, without what it quotes.
 */
export function describeError(error: unknown): LoggableError {
  if (!(error instanceof Error)) return { kind: typeof error, stack: [] }
  const stack = (error.stack ?? '')
    .split('\n')
    .filter(line => /^\s+at /.test(line))
    .map(line => line.trim())
  let inner: Error = error
  while (inner.cause instanceof Error) inner = inner.cause
  // PostgreSQL quotes the value it could not read.
  const message = inner.name === 'PostgresError' ? inner.message.replace(/".*"/s, '"…"') : inner.message
  return {
    kind: inner.name,
    ...('code' in inner && typeof inner.code === 'string' ? { code: inner.code } : {}),
    ...(inner.message.startsWith('Failed query') ? {} : { message: message.slice(0, 500) }),
    stack: stack.slice(0, 12),
  }
}
