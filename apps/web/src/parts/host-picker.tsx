// Chooses hosts by name; the server searches, so a fleet of thousands fits.
import type { AskedAccess } from '@restic-manager/contract/policy-rule'
import type { Id } from '@restic-manager/contract/ids'
import { MultiSelect } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useHostPolicies, whyForbidden } from '../host-policy.ts'
import { trpc } from '../trpc.ts'

type Named = { id: Id; name: string }

/** `access`: how they would reach what they are chosen for; a host whose policy forbids it cannot be chosen. `chosen` carries the names, so that hosts beyond the search keep theirs. */
export function HostPicker({
  chosen,
  access,
  onChange,
  error,
}: {
  chosen: Named[]
  access: AskedAccess
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
  const policies = useHostPolicies([...known.keys()])
  const whyNot = (id: Id) => whyForbidden(policies.get(id), { access })
  const refused = chosen.flatMap(({ id, name }) => {
    const why = whyNot(id)
    return why === undefined ? [] : [`${name}: ${why}`]
  })
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
      data={[...known.values()].map(({ id, name }) => {
        const isForbidden = whyNot(id) !== undefined
        return {
          value: id,
          label: isForbidden ? `${name} (its policy does not allow this place)` : name,
          // One that stands there already can still be taken away.
          disabled: isForbidden && chosen.every(each => each.id !== id),
        }
      })}
      value={chosen.map(host => host.id)}
      onChange={ids => onChange(ids.flatMap(id => known.get(id) ?? []))}
      error={error ?? refused[0]}
    />
  )
}
