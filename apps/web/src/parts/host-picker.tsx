// Chooses hosts by name; the server searches, so a fleet of thousands fits.
import type { Id } from '@restic-manager/contract/ids'
import { MultiSelect } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { trpc } from '../trpc.ts'

type Named = { id: Id; name: string }

/** `chosen` carries the names, so that hosts beyond the search keep theirs. */
export function HostPicker({
  chosen,
  onChange,
  error,
}: {
  chosen: Named[]
  onChange: (chosen: Named[]) => void
  error?: string | undefined
}) {
  const [typed, setTyped] = useState('')
  const [search] = useDebouncedValue(typed, 200)
  const hosts = useQuery(
    trpc.hosts.list.queryOptions(
      { limit: 50, ...(search !== '' && { search }) },
      { placeholderData: keepPreviousData },
    ),
  )
  const known = new Map<Id, Named>([...(hosts.data?.rows ?? []), ...chosen].map(host => [host.id, host]))
  return (
    <MultiSelect
      label="Hosts"
      description="These hosts get the password and may back up there. Hosts that share a repository can read each other's backups."
      inputWrapperOrder={['label', 'input', 'description', 'error']}
      placeholder={chosen.length === 0 ? 'Choose hosts' : ''}
      searchable
      searchValue={typed}
      onSearchChange={setTyped}
      nothingFoundMessage={hosts.isPending ? 'Reading the hosts' : 'No host matches'}
      data={[...known.values()].map(host => ({ value: host.id, label: host.name }))}
      value={chosen.map(host => host.id)}
      onChange={ids => onChange(ids.flatMap(id => known.get(id) ?? []))}
      error={error}
    />
  )
}
