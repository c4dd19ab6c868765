// A job's log as lines for a person: restic's events in words, a level, and nothing that can act.
import type { LogEntryView } from '@restic-manager/contract/views'
import { countOf, formatBytes, formatCount, inertText } from './format.ts'

export type LogLevel = 'info' | 'warn' | 'error'
/** `gap`: lines that are not there; its text says how many and why. */
export type LogRow = { seq: number; ts: number; level: LogLevel; text: string; gap: boolean }

type Json = Record<string, unknown>
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
const numberOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

function errorText(event: Json): string {
  const error = event['error']
  const said = isObject(error) ? textOf(error['message']) : undefined
  const item = textOf(event['item'])
  if (said !== undefined) return item === undefined || said.includes(item) ? said : `${item}: ${said}`
  // restic 0.14 prints the error's fields instead of its words.
  const op = isObject(error) ? textOf(error['Op']) : undefined
  return `${item ?? 'a file'}: ${op === undefined ? 'could not be read' : `${op} failed`}`
}

function summaryText(event: Json): string {
  const files = numberOf(event['total_files_processed'])
  const bytes = numberOf(event['total_bytes_processed'])
  const added = numberOf(event['data_added'])
  const snapshot = textOf(event['snapshot_id'])
  return [
    files !== undefined &&
      bytes !== undefined &&
      `${countOf(files, 'file')}, ${formatBytes(bytes)} processed`,
    `${formatCount(numberOf(event['files_new']) ?? 0)} new, ${formatCount(numberOf(event['files_changed']) ?? 0)} changed`,
    added !== undefined && `${formatBytes(added)} added`,
    snapshot !== undefined && `snapshot ${snapshot.slice(0, 8)}`,
  ]
    .filter(part => part !== false)
    .join(' · ')
}

/** One of restic's JSON messages in words; what is new to this version stands as it came. */
export function describeEvent(payload: string): { level: LogLevel; text: string } {
  let event: unknown
  try {
    event = JSON.parse(payload)
  } catch {
    return { level: 'info', text: payload }
  }
  if (!isObject(event)) return { level: 'info', text: payload }
  switch (event['message_type']) {
    case 'error':
      return { level: 'warn', text: errorText(event) }
    case 'exit_error':
      return { level: 'error', text: textOf(event['message']) ?? payload }
    case 'summary':
      return { level: 'info', text: summaryText(event) }
    case 'initialized':
      return { level: 'info', text: `repository ${textOf(event['id'])?.slice(0, 10) ?? ''} initialised` }
    case 'status': {
      const share = numberOf(event['percent_done'])
      const bytes = numberOf(event['bytes_done'])
      return {
        level: 'info',
        text: `${Math.floor((share ?? 0) * 100)} % done${bytes === undefined ? '' : `, ${formatBytes(bytes)}`}`,
      }
    }
    case 'verbose_status': {
      const item = textOf(event['item'])
      return {
        level: 'info',
        text: [textOf(event['action']), item].filter(part => part !== undefined).join(' ') || payload,
      }
    }
    default:
      return { level: 'info', text: payload }
  }
}

function levelOfStderr(line: string): LogLevel {
  if (/^(fatal|panic|error)\b|: fatal\b/i.test(line)) return 'error'
  return /\b(warn|warning|error|failed|denied|unable|cannot|could not|not exist|skipping|retry|retrying|refused|timeout)\b/i.test(
    line,
  )
    ? 'warn'
    : 'info'
}

/** One entry of the log as it stands on the page. */
export function logRow(entry: LogEntryView): LogRow {
  const { seq, ts } = entry
  if ('gap' in entry) {
    const { count, bytes, reason } = entry.gap
    return {
      seq,
      ts,
      level: 'warn',
      gap: true,
      text: `${countOf(count, 'line')} (${formatBytes(bytes)}) dropped here: ${inertText(reason)}`,
    }
  }
  const payload = inertText(entry.payload)
  if (entry.stream === 'event') {
    const { level, text } = describeEvent(entry.payload)
    return { seq, ts, gap: false, level, text: inertText(text) }
  }
  return {
    seq,
    ts,
    gap: false,
    level: entry.stream === 'stderr' ? levelOfStderr(payload) : 'info',
    text: payload,
  }
}

/** A line of the downloaded file: the true payload, with its time and stream. */
export function logFileLine(entry: LogEntryView): string {
  const at = new Date(entry.ts).toISOString()
  return 'gap' in entry
    ? `${at}\tgap\t${entry.gap.count} lines, ${entry.gap.bytes} bytes dropped: ${entry.gap.reason}\n`
    : `${at}\t${entry.stream}\t${entry.payload}\n`
}
