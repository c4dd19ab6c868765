// restic's messages: one JSON document a line on either stream, between lines of plain text. Tolerant and quick.
import type { LogStream } from '@restic-manager/contract/log'
import { toInstant, type Instant } from '@restic-manager/contract/scalars'
import { fitText } from './fit-text.ts'
import type { Redact } from './redact.ts'

/** Counters are missing where they are 0. */
export type StatusMessage = {
  type: 'status'
  percentDone: number
  totalFiles: number
  filesDone: number
  totalBytes: number
  bytesDone: number
  /** restic tells a time left only once it has counted everything. */
  counted: boolean
  currentFiles: string[]
}
/** Verbatim, as restic wrote it. */
export type SummaryMessage = {
  type: 'summary'
  summary: Record<string, JsonValue>
  snapshotId: string | undefined
}
export type ItemErrorMessage = { type: 'error'; during: string; item: string; message: string }
export type ExitErrorMessage = { type: 'exit_error'; code: number; message: string }
export type InitialisedMessage = { type: 'initialized'; id: string }
export type OtherMessage = { type: 'other' }
export type Message =
  | StatusMessage
  | SummaryMessage
  | ItemErrorMessage
  | ExitErrorMessage
  | InitialisedMessage
  | OtherMessage

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }
/** The last millisecond of the year 9999. */
const LAST_INSTANT = Date.UTC(10_000, 0) - 1

type JsonObject = { [key: string]: JsonValue }

/** A line restic printed. `payload` is what a person may see: redacted, the whole message where it is one. */
export type ResticLine = { stream: LogStream; payload: string; message?: Message }

/** Reads a line: a message where it is one, else text. Free text in it is redacted, numbers and ids are not. */
export function readLine(stream: 'stdout' | 'stderr', text: string, redact: Redact): ResticLine {
  const parsed = text.startsWith('{') ? parseObject(text) : undefined
  if (parsed === undefined || typeof parsed.message_type !== 'string')
    return { stream, payload: redact(text) }
  const message = readMessage(parsed, redact)
  // A status line is never stored, so it is not worth the time to write it again.
  return { stream: 'event', payload: message.type === 'status' ? '' : redactedJson(parsed, redact), message }
}

/** A document that may have lines of text before it. An empty one is undefined. Throws when there is none. */
export function parseDocument(text: string): JsonValue | undefined {
  if (text.trim() === '') return undefined
  try {
    return JSON.parse(text) as JsonValue
  } catch (error) {
    const at = /^[[{]/m.exec(text)?.index
    if (at === undefined || at === 0) throw error
    return JSON.parse(text.slice(at)) as JsonValue
  }
}

/** The value when it is an object with names. */
export function asObject(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}
export const asText = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '')
/** A whole number, 0 where there is none. */
export const asCount = (value: JsonValue | undefined): number =>
  typeof value === 'number' && value > 0 ? Math.min(Math.round(value), Number.MAX_SAFE_INTEGER) : 0
/** An instant as the wire and a database take it; undefined where there is none. A forged year is brought into reach. */
export function asInstant(value: JsonValue | undefined): Instant | undefined {
  const at = Date.parse(asText(value))
  return Number.isNaN(at) ? undefined : toInstant(Math.min(Math.max(at, 0), LAST_INSTANT))
}
export const asTexts = (value: JsonValue | undefined): string[] =>
  Array.isArray(value) ? value.filter(each => typeof each === 'string') : []

function readMessage(json: JsonObject, redact: Redact): Message {
  switch (json.message_type) {
    case 'status':
      // Old restic tells the end of its count as a status without numbers.
      if (json.action !== undefined) return { type: 'other' }
      return {
        type: 'status',
        percentDone: typeof json.percent_done === 'number' ? json.percent_done : 0,
        totalFiles: asCount(json.total_files),
        filesDone: asCount(json.files_done),
        totalBytes: asCount(json.total_bytes),
        bytesDone: asCount(json.bytes_done),
        counted: json.seconds_remaining !== undefined,
        currentFiles: asTexts(json.current_files)
          .slice(0, 16)
          .map(file => fitText(redact(file), 4_096)),
      }
    case 'summary': {
      const { message_type: _, ...summary } = json
      return { type: 'summary', summary, snapshotId: asText(json.snapshot_id) || undefined }
    }
    case 'error':
      return {
        type: 'error',
        during: asText(json.during),
        item: redact(asText(json.item)),
        message: redact(wordsOfError(json)),
      }
    case 'exit_error':
      return { type: 'exit_error', code: asCount(json.code), message: redact(asText(json.message)) }
    case 'initialized':
      return { type: 'initialized', id: asText(json.id) }
    default:
      return { type: 'other' }
  }
}

/** Old restic gives an errno, or nothing at all. */
function wordsOfError(json: JsonObject): string {
  const error = asObject(json.error)
  const said = asText(error.message) || asText(json.message)
  if (said !== '') return said
  const errno: Record<number, string> = {
    1: 'operation not permitted',
    2: 'no such file or directory',
    5: 'input/output error',
    13: 'permission denied',
  }
  const words = typeof error.Err === 'number' ? (errno[error.Err] ?? `error ${error.Err}`) : asText(error.Err)
  return [asText(error.Op), words].filter(Boolean).join(': ')
}

function parseObject(text: string): JsonObject | undefined {
  try {
    return asObject(JSON.parse(text) as JsonValue)
  } catch {
    return undefined
  }
}

function redactedJson(json: JsonObject, redact: Redact): string {
  return JSON.stringify(json, (key, value: unknown) =>
    typeof value === 'string' && key !== 'message_type' && !key.endsWith('_id') && key !== 'id'
      ? redact(value)
      : value,
  )
}
