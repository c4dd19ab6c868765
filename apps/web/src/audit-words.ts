// The audit log in words: what changed, in a line and field by field.
import type { AuditEventView } from '@restic-manager/contract/audit'

/** A field of a change. Undefined: it was not there, or is not there any more. */
export type Changed = { field: string; before: string | undefined; after: string | undefined }

/** The fields of an act in the order in which they were written down. */
export function changesOf({ before, after }: Pick<AuditEventView, 'before' | 'after'>): Changed[] {
  const fields = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])
  return [...fields].map(field => ({
    field,
    before: wordOf(before?.[field]),
    after: wordOf(after?.[field]),
  }))
}

function wordOf(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (value === null) return 'none'
  if (value === '[redacted]') return '••••••••'
  if (Array.isArray(value) && value.length === 0) return 'none'
  if (Array.isArray(value) && value.every(entry => typeof entry === 'string')) return value.join(', ')
  return typeof value === 'object' ? JSON.stringify(value, null, 2) : String(value)
}

/** The change in one line: all of a small one, the names of the fields of a large one. */
export function changeInALine(event: Pick<AuditEventView, 'before' | 'after'>): string {
  const changes = changesOf(event)
  const isSmall = changes.length <= 2
  return changes
    .map(({ field, before, after }) => {
      if (!isSmall) return field
      if (before === undefined || before === after) return `${field}: ${after ?? 'none'}`
      return after === undefined ? `${field}: was ${before}` : `${field}: ${before} → ${after}`
    })
    .join(', ')
    .replaceAll(/\s+/g, ' ')
}
