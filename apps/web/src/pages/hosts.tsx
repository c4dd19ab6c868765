// All hosts: live states, filters in the address, rows read page by page as they come into view.
import type { HostState } from '@restic-manager/contract/views'
import { Button, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconPlus, IconSearch } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { lazy, Suspense, useState } from 'react'
import { countOf, formatCount } from '../format.ts'
import { useListPages } from '../list-pages.ts'
import { useMay } from '../me.ts'
import { Crumbs } from '../parts/crumbs.tsx'
import { FilterChips } from '../parts/filter-chips.tsx'
import { HostBulkBar } from '../parts/host-bulk.tsx'
import { HostTable } from '../parts/host-table.tsx'
import { LinkButton } from '../parts/link-button.tsx'
import { Notice } from '../parts/notice.tsx'
import { Empty, PageHead, Panel, SkeletonRows } from '../parts/panel.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { TagFilter } from '../parts/tag-filter.tsx'
import { useNarrow } from '../parts/virtual-table.tsx'
import { useSelection } from '../selection.ts'
import { client, trpc } from '../trpc.ts'
import { stateWords } from '../words.ts'

const route = getRouteApi('/shell/hosts')
/** Most visits add no host: its code comes when it is asked for. */
const AddHost = lazy(async () => ({ default: (await import('../parts/add-host.tsx')).AddHost }))
const states = Object.keys(stateWords) as HostState[]

/** What a fresh fleet still lacks, with the button that adds it. */
function NextStep({ hosts }: { hosts: number }) {
  const counts = useQuery(trpc.overview.counts.queryOptions()).data
  const mayAdd = useMay('admin')
  if (hosts === 0 || counts === undefined || counts.repositories > 0) return null
  return (
    <Notice
      tone="accent"
      title="Next: a place for the backups."
      action={mayAdd && <LinkButton to="/repositories/add">Add repository</LinkButton>}
    >
      {hosts === 1 ? 'The host is here' : 'The hosts are here'}, but there is no repository to back up to yet.
    </Notice>
  )
}

/** The list of hosts. */
export function HostsPage() {
  const filter = route.useSearch()
  const navigate = useNavigate({ from: '/hosts' })
  const mayAdd = useMay('admin')
  const [adding, setAdding] = useState<boolean>()
  const [typed, setTyped] = useState(filter.search ?? '')
  const search = useDebouncedCallback(
    (text: string) =>
      void navigate({ search: old => ({ ...old, search: text === '' ? undefined : text }), replace: true }),
    250,
  )
  const wanted = { search: filter.search, state: filter.state, tags: filter.tags }
  const input = { limit: 100, ...wanted, sort: filter.sort }
  const {
    query: hosts,
    rows,
    newest,
    onView,
  } = useListPages(trpc.hosts.list.infiniteQueryKey(input), (cursor, signal) =>
    client.hosts.list.query({ ...input, cursor }, { signal }),
  )
  const counts = newest?.counts
  const filtered = Object.values(wanted).some(value => value !== undefined)
  const mayAct = useMay('operator')
  const isNarrow = useNarrow()
  const [selecting, setSelecting] = useState(false)
  const total = newest?.total ?? rows.length
  const selection = useSelection(JSON.stringify(wanted), total)
  // On a phone the boxes would be in the way of every tap, so they come when they are asked for.
  const choosing = mayAct && (!isNarrow || selecting)

  return (
    <>
      <Crumbs here="Hosts" />
      <PageHead
        title="Hosts"
        actions={
          mayAdd && (
            <Button
              variant="filled"
              leftSection={<IconPlus size={16} stroke={1.75} aria-hidden />}
              onClick={() => setAdding(true)}
            >
              Add host
            </Button>
          )
        }
      />
      {counts !== undefined && <NextStep hosts={counts.all} />}
      <div className="filters">
        <TextInput
          className="host-search"
          aria-label="Search hosts by name or tag"
          placeholder="Name or tag"
          leftSection={<IconSearch size={16} stroke={1.75} aria-hidden />}
          value={typed}
          onChange={event => {
            setTyped(event.currentTarget.value)
            search(event.currentTarget.value.trim())
          }}
        />
        <FilterChips
          label="State"
          value={filter.state}
          onChange={state => void navigate({ search: old => ({ ...old, state }), replace: true })}
          options={[
            { value: undefined, word: 'All', count: counts?.all },
            { value: 'late', word: 'Late', count: counts?.late },
            ...states.map(state => ({ value: state, word: stateWords[state], count: counts?.[state] })),
          ]}
        />
        <TagFilter
          value={filter.tags ?? []}
          onChange={tags =>
            void navigate({
              search: old => ({ ...old, tags: tags.length === 0 ? undefined : tags }),
              replace: true,
            })
          }
        />
        {mayAct && isNarrow && rows.length > 0 && (
          <Button
            aria-pressed={selecting}
            onClick={() => {
              if (selecting) selection.clear()
              setSelecting(!selecting)
            }}
          >
            {selecting ? 'Done' : 'Select'}
          </Button>
        )}
      </div>
      <QueryProblem what="The list of hosts" query={hosts} />
      <Panel
        flush
        foot={
          newest !== undefined &&
          rows.length > 0 && (
            <span className="num">
              {formatCount(newest.total)} of {countOf(newest.counts.all, 'host')}, by{' '}
              {filter.sort === 'lastGoodBackup' ? 'oldest last good backup' : 'name'}
            </span>
          )
        }
      >
        {hosts.isPending && <SkeletonRows rows={10} />}
        {choosing && <HostBulkBar selection={selection} filter={wanted} total={total} shown={rows.length} />}
        {rows.length > 0 && (
          <HostTable
            rows={rows}
            total={total}
            selection={choosing ? selection : undefined}
            sort={filter.sort ?? 'name'}
            onSort={sort =>
              void navigate({
                search: old => ({ ...old, sort: sort === 'name' ? undefined : sort }),
                replace: true,
              })
            }
            onView={onView}
          />
        )}
        {newest !== undefined && rows.length === 0 && (
          <Empty
            title={filtered ? 'No host matches.' : 'No host yet.'}
            action={
              filtered ? (
                <Button
                  onClick={() => {
                    setTyped('')
                    void navigate({ search: { sort: filter.sort }, replace: true })
                  }}
                >
                  Show all hosts
                </Button>
              ) : (
                mayAdd && <Button onClick={() => setAdding(true)}>Add host</Button>
              )
            }
          >
            {filtered
              ? 'The search looks at names and tags. A host has to have every tag that is chosen.'
              : 'A host is a machine with an agent on it. Adding one takes a single line pasted on that machine.'}
          </Empty>
        )}
      </Panel>
      {adding !== undefined && (
        <Suspense>
          <AddHost opened={adding} onClose={() => setAdding(false)} />
        </Suspense>
      )}
    </>
  )
}
