// A size in bytes, typed as a number with its unit.
import { NumberInput, Select } from '@mantine/core'
import { useState } from 'react'
import './size-input.css'

const units = [
  { word: 'MiB', bytes: 1024 ** 2 },
  { word: 'GiB', bytes: 1024 ** 3 },
  { word: 'TiB', bytes: 1024 ** 4 },
] as const

/** The largest unit in which a size is a whole number. */
const unitOf = (bytes: number | undefined): string =>
  units.findLast(unit => bytes !== undefined && bytes >= unit.bytes && bytes % unit.bytes === 0)?.word ??
  'GiB'

/** `value` undefined: no limit. */
export function SizeInput({
  label,
  description,
  value,
  onChange,
  error,
}: {
  label: string
  description?: string
  value: number | undefined
  onChange: (bytes: number | undefined) => void
  error?: string | undefined
}) {
  const [word, setWord] = useState(() => unitOf(value))
  const unit = units.find(known => known.word === word)?.bytes ?? 1
  return (
    <div className="size-input">
      <NumberInput
        label={label}
        description={description}
        inputWrapperOrder={['label', 'input', 'description', 'error']}
        placeholder="no limit"
        min={0}
        hideControls
        decimalScale={2}
        value={value === undefined ? '' : Number((value / unit).toFixed(2))}
        error={error}
        onChange={typed => onChange(typeof typed === 'number' ? Math.round(typed * unit) : undefined)}
      />
      <Select
        className="size-input-unit"
        aria-label={`${label}: unit`}
        allowDeselect={false}
        data={units.map(known => known.word)}
        value={word}
        onChange={next => {
          const chosen = units.find(known => known.word === next)
          if (chosen === undefined) return
          setWord(chosen.word)
          if (value !== undefined) onChange(Math.round((value / unit) * chosen.bytes))
        }}
      />
    </div>
  )
}
