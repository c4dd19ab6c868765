// All snapshots, newest first, by day: filters in the address, rows read page by page as they come into view.
import { Button, Select, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconSearch, IconTag } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { countOf, formatCount } from '../format.ts'
import { useListPages } from '../list-pages.ts'
import { Crumbs } from '../parts/crumbs.tsx'
import { HostFilter } from '../parts/host-filter.tsx'
import { LinkButton } from '../parts/link-button.tsx'
import { Empty, PageHead, Panel, SkeletonRows } from '../parts/panel.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { SnapshotTimeline } from '../parts/snapshot-timeline.tsx'
import { snapshotPages } from '../snapshot-reads.ts'
import { trpc } from '../trpc.ts'

const route = getRouteApi('/shell/snapshots')

/** Words that are typed, given on once somebody stops typing. */
function Words({
  label,
  icon,
  value,
  onChange,
}: {
  label: string
  icon: React.ReactNode
  value: string | undefined
  onChange: (value: string | undefined) => void
}) {
  const [typed, setTyped] = useState(value ?? '')
  const tell = useDebouncedCallback((text: string) => onChange(text === '' ? undefined : text), 250)
  return (
    <TextInput
      className="filter-words"
      aria-label={label}
      placeholder={label}
      leftSection={icon}
      value={typed}
      onChange={event => {
        setTyped(event.currentTarget.value)
        tell(event.currentTarget.value.trim())
      }}
    />
  )
}

/** The list of snapshots. */
export function SnapshotsPage() {
  const filter = route.useSearch()
  const navigate = useNavigate({ from: '/snapshots' })
  const set = (change: Partial<typeof filter>) =>
    void navigate({ search: old => ({ ...old, ...change }), replace: true })
  const [emptied, setEmptied] = useState(0)
  const repositories = useQuery(trpc.repositories.list.queryOptions()).data ?? []
  const { queryKey, read } = snapshotPages(filter)
  const { query: snapshots, rows, newest, onView } = useListPages(queryKey, read)
  const filtered = Object.values(filter).some(value => value !== undefined)
  return (
    <>
      <Crumbs here="Snapshots" />
      <PageHead title="Snapshots" />
      <div className="filters" key={emptied}>
        <Words
          label="Folder, host or id"
          icon={<IconSearch size={16} stroke={1.75} aria-hidden />}
          value={filter.search}
          onChange={search => set({ search })}
        />
        <HostFilter value={filter.hostId} onChange={hostId => set({ hostId })} />
        <Select
          aria-label="Repository"
          placeholder="Any repository"
          clearable
          searchable
          data={repositories.map(({ id, name }) => ({ value: id, label: name }))}
          value={filter.repositoryId ?? null}
          onChange={repositoryId => set({ repositoryId: repositoryId ?? undefined })}
        />
        <Words
          label="Tag"
          icon={<IconTag size={16} stroke={1.75} aria-hidden />}
          value={filter.tag}
          onChange={tag => set({ tag })}
        />
      </div>
      <QueryProblem what="The list of snapshots" query={snapshots} />
      <Panel
        flush
        foot={
          newest !== undefined &&
          rows.length > 0 && (
            <span className="num">
              {newest.total === 10_000 && filtered
                ? `${formatCount(newest.total)} or more snapshots`
                : countOf(newest.total, 'snapshot')}
              , newest first. Sizes are of what a snapshot holds, not of what it added.
            </span>
          )
        }
      >
        {snapshots.isPending && <SkeletonRows rows={10} />}
        {rows.length > 0 && (
          <SnapshotTimeline rows={rows} total={newest?.total ?? rows.length} onView={onView} />
        )}
        {snapshots.isSuccess && rows.length === 0 && (
          <Empty
            title={filtered ? 'No snapshot matches.' : 'No snapshot yet.'}
            action={
              filtered ? (
                <Button
                  onClick={() => {
                    setEmptied(emptied + 1)
                    void navigate({ search: {}, replace: true })
                  }}
                >
                  Show all snapshots
                </Button>
              ) : (
                <LinkButton to="/hosts">Go to hosts</LinkButton>
              )
            }
          >
            {filtered
              ? 'Tags are compared as a whole; words may stand anywhere in a folder or a host name.'
              : 'Each backup that succeeds, or ends incomplete, leaves one here.'}
          </Empty>
        )}
      </Panel>
    </>
  )
}
