// Tags to filter hosts by, from those that there are.
import { MultiSelect } from '@mantine/core'
import { IconTag } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { formatCount } from '../format.ts'
import { trpc } from '../trpc.ts'

/** Nothing while no host has a tag. A host has to have every tag that is chosen. */
export function TagFilter({ value, onChange }: { value: string[]; onChange: (tags: string[]) => void }) {
  const tags = useQuery(trpc.hosts.tags.queryOptions()).data ?? []
  if (tags.length === 0 && value.length === 0) return null
  const known = new Map(tags.map(({ tag, hosts }) => [tag, hosts]))
  const all = [...known.keys(), ...value.filter(tag => !known.has(tag))]
  return (
    <MultiSelect
      className="tag-filter"
      aria-label="Tags"
      placeholder={value.length === 0 ? 'Tags' : undefined}
      leftSection={<IconTag size={16} stroke={1.75} aria-hidden />}
      data={all.map(tag => ({ value: tag, label: tag }))}
      renderOption={({ option }) => (
        <span className="row grow">
          <span className="grow cut">{option.label}</span>
          <span className="dim num">{formatCount(known.get(option.value) ?? 0)}</span>
        </span>
      )}
      value={value}
      onChange={onChange}
      searchable
      clearable
      limit={100}
      nothingFoundMessage="No such tag."
    />
  )
}
