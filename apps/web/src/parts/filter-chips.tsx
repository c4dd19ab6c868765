// Filters of a list as chips in a row, one chosen at a time.
import './table.css'

/** `value` undefined stands for all. */
export function FilterChips<T extends string>({
  label,
  options,
  value,
  onChange,
}: {
  label: string
  options: { value: T | undefined; word: string; count?: number | undefined }[]
  value: T | undefined
  onChange: (value: T | undefined) => void
}) {
  return (
    <div className="filter-chips" role="group" aria-label={label}>
      {options.map(option => (
        <button
          key={option.word}
          type="button"
          className="filter-chip"
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
        >
          {option.word}
          {option.count !== undefined && <span className="num">{option.count}</span>}
        </button>
      ))}
    </div>
  )
}
