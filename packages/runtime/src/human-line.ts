// A line of the log as a person wants to read it.
import { inspect, styleText } from 'node:util'

const names: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
}

/** `16:52:03.120 warn  the sentence  hostId=… error={…}` from one JSON line of the log; anything else stays as it is. */
export function toHumanLine(line: string): string {
  const entry = parse(line)
  if (!entry) return line
  const { level, time, msg = '', ...facts } = entry
  const name = names[Number(level)] ?? String(level)
  const clock = new Date(Number(time)).toISOString().slice(11, 23)
  const rest = Object.entries(facts).map(([key, value]) => styleText('dim', `${key}=${show(value)}`))
  return `${[styleText('dim', clock), paint(name), String(msg), ...rest].filter(Boolean).join(' ')}\n`
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && 'time' in value ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function paint(name: string) {
  const padded = name.padEnd(5)
  if (name === 'warn') return styleText('yellow', padded)
  return name === 'error' || name === 'fatal' ? styleText('red', padded) : padded
}

/** A stack keeps its lines; everything else stays on this one. */
function show(value: unknown): string {
  if (typeof value === 'string')
    return /\s/.test(value) && !value.includes('\n') ? JSON.stringify(value) : value
  return inspect(value, { breakLength: Infinity, depth: 4 })
}
