// From one day to another, both included, as fields above a list.
import { TextInput } from '@mantine/core'
import type { DayRange as Range } from '../day-range.ts'

/** Days as a date field of the browser has them; undefined: open at that end. */
export function DayRange({ from, until, onChange }: Range & { onChange: (range: Range) => void }) {
  return (
    <div className="row row-wrap">
      <TextInput
        type="date"
        aria-label="From"
        value={from ?? ''}
        max={until}
        onChange={event => onChange({ from: event.currentTarget.value || undefined, until })}
      />
      <span className="dim">to</span>
      <TextInput
        type="date"
        aria-label="To"
        value={until ?? ''}
        min={from}
        onChange={event => onChange({ from, until: event.currentTarget.value || undefined })}
      />
    </div>
  )
}
