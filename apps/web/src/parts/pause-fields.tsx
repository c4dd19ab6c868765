// What is asked for a pause: until when, and why. For one host and for many.
import { Select, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useNow } from '../clock.ts'

const hourMs = 3_600_000
const choices = [
  { value: 'open', label: 'Until somebody resumes it' },
  { value: String(hourMs), label: 'For an hour' },
  { value: String(4 * hourMs), label: 'For 4 hours' },
  { value: String(24 * hourMs), label: 'For a day' },
  { value: String(7 * 24 * hourMs), label: 'For a week' },
  { value: 'time', label: 'Until a time…' },
]

export type PauseWish = { reason?: string; until?: Date }

/** How long and why, as it is typed; `wish` is read when it is sent, so that "for an hour" counts from then. */
export function usePauseFields() {
  const [length, setLength] = useState('open')
  const [time, setTime] = useState('')
  const [reason, setReason] = useState('')
  const now = useNow()
  const isComplete = length !== 'time' || Date.parse(time) > now
  return {
    ...{ length, setLength, time, setTime, reason, setReason, isComplete },
    wish(): PauseWish {
      const until =
        length === 'open'
          ? undefined
          : length === 'time'
            ? new Date(time)
            : new Date(Date.now() + Number(length))
      const why = reason.trim()
      return { ...(why === '' ? {} : { reason: why }), ...(until === undefined ? {} : { until }) }
    },
  }
}

/** The fields of a pause. */
export function PauseFields({ fields }: { fields: ReturnType<typeof usePauseFields> }) {
  return (
    <>
      <Select
        label="How long"
        allowDeselect={false}
        data={choices}
        value={fields.length}
        onChange={value => fields.setLength(value ?? 'open')}
      />
      {fields.length === 'time' && (
        <TextInput
          type="datetime-local"
          label="Until"
          description="In the time of this browser."
          value={fields.time}
          onChange={event => fields.setTime(event.currentTarget.value)}
          error={fields.time !== '' && !fields.isComplete && 'Choose a time that is still to come.'}
        />
      )}
      <TextInput
        label="Why"
        description="Others see it beside the host. May be left out."
        maxLength={300}
        value={fields.reason}
        onChange={event => fields.setReason(event.currentTarget.value)}
      />
    </>
  )
}
