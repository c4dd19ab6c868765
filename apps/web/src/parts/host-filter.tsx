// One host to filter a list by; the server searches, so a fleet of thousands fits.
import { Select } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { trpc } from '../trpc.ts'

/** `value` undefined stands for all. */
export function HostFilter({
  value,
  onChange,
}: {
  value: string | undefined
  onChange: (hostId: string | undefined) => void
}) {
  const [typed, setTyped] = useState('')
  const [search] = useDebouncedValue(typed, 200)
  const chosen = useQuery(
    trpc.hosts.get.queryOptions({ hostId: value ?? '' }, { enabled: value !== undefined }),
  ).data
  // What stands in the field after a choice is no search.
  const wanted = search === chosen?.name ? '' : search
  const found = useQuery(
    trpc.hosts.list.queryOptions(
      { limit: 50, ...(wanted !== '' && { search: wanted }) },
      { placeholderData: keepPreviousData },
    ),
  ).data
  const known = new Map((found?.rows ?? []).map(({ id, name }) => [id, name]))
  if (value !== undefined) known.set(value, chosen?.name ?? 'One host')
  return (
    <Select
      aria-label="Host"
      placeholder="Any host"
      clearable
      searchable
      onSearchChange={setTyped}
      nothingFoundMessage="No host matches"
      data={[...known].map(([id, name]) => ({ value: id, label: name }))}
      value={value ?? null}
      onChange={hostId => onChange(hostId ?? undefined)}
    />
  )
}
