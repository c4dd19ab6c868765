// A time of day in 24 hours. The browser's own field would follow its language.
import { TextInput } from '@mantine/core'
import { useState } from 'react'
import { clockOf, timeOf } from '../timetable.ts'

/** `onChange` is called with each time that can be read; what cannot is put back on leaving the field. */
export function ClockInput({
  label = 'At',
  value,
  onChange,
}: {
  label?: string
  value: string
  onChange: (time: { hour: number; minute: number }) => void
}) {
  const [typed, setTyped] = useState(value)
  const time = timeOf(typed)
  return (
    <TextInput
      label={label}
      className="clock-input"
      inputMode="numeric"
      placeholder="02:30"
      value={typed}
      error={time === undefined && 'Hours and minutes, such as 02:30.'}
      onChange={event => {
        setTyped(event.currentTarget.value)
        const next = timeOf(event.currentTarget.value)
        if (next !== undefined) onChange(next)
      }}
      onBlur={() => setTyped(time === undefined ? value : clockOf(time))}
    />
  )
}
