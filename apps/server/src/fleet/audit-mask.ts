// What of a change may be written down: secrets are masked by the name they go by, and nothing is endless.

/** What something was like, or what was asked for. */
export type AuditState = Record<string, unknown>

/** Stands in the place of a secret. */
export const mask = '[redacted]'

/**
 * Names under which secrets go in requests, rows and answers. A test walks the input of every procedure that changes something and
 * fails on a name that looks like a secret's and is not here.
 */
export const secretFields: ReadonlySet<string> = new Set([
  ...['password', 'credential', 'adminCredential', 'secret', 'token', 'bearer', 'key', 'code', 'codes'],
  ...['ticket', 'response', 'passkey', 'link', 'hash', 'passwordHash', 'secretHash', 'tokenHash', 'sealed'],
  ...['privateKey', 'clientSecret', 'accessToken', 'refreshToken', 'idToken', 'backupCodes', 'recoveryCodes'],
])

/** Objects of which every value is a secret, while the names in them are not. */
export const secretMaps: ReadonlySet<string> = new Set(['environment'])

/** Secrets that are kept once they were sent, so that sending one is a change worth saying. */
const keptSecrets = ['password', 'credential', 'adminCredential', 'clientSecret'] as const

const longestText = 2_000
const mostEntries = 200

/** `state` as it may be written down: plain JSON that PostgreSQL can store, secrets masked, long texts and lists cut. */
export function masked(state: AuditState): AuditState {
  return shown(JSON.parse(JSON.stringify(state))) as AuditState
}

/** The kept secrets of an input, masked: that one was set says something, what it is does not. */
export function secretsSet(input: unknown): AuditState {
  if (typeof input !== 'object' || input === null) return {}
  const given = keptSecrets.filter(name => (input as AuditState)[name] !== undefined)
  return Object.fromEntries(given.map(name => [name, mask]))
}

function shown(value: unknown, name?: string, isSecret = false): unknown {
  if (value === null) return null
  if (name !== undefined && secretFields.has(name)) return mask
  const isMap = name !== undefined && secretMaps.has(name)
  if (Array.isArray(value)) {
    const kept = value.slice(0, mostEntries).map(entry => shown(entry, undefined, isSecret || isMap))
    return value.length > mostEntries ? [...kept, `and ${value.length - mostEntries} more`] : kept
  }
  if (typeof value === 'object')
    return Object.fromEntries(
      Object.entries(value)
        .slice(0, mostEntries)
        .map(([key, inner]) => [text(key), shown(inner, key, isSecret || isMap)]),
    )
  if (isSecret) return mask
  return typeof value === 'string' ? text(value) : value
}

function text(value: string): string {
  const storable = value.replaceAll('\0', '')
  return (storable.length > longestText ? `${storable.slice(0, longestText)}…` : storable).toWellFormed()
}
