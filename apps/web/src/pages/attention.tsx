// What needs a person: everything that is open, worst first, and what was.
import { Button } from '@mantine/core'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { formatCount } from '../format.ts'
import { useListPages } from '../list-pages.ts'
import { AttentionRow } from '../parts/attention-row.tsx'
import { Crumbs } from '../parts/crumbs.tsx'
import { FilterChips } from '../parts/filter-chips.tsx'
import { Empty, PageHead, Panel, SkeletonRows } from '../parts/panel.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { client, trpc } from '../trpc.ts'

const route = getRouteApi('/shell/attention')

/** What each filter asks for. */
const views = {
  red: { which: 'open', severity: 'red', acknowledged: false },
  amber: { which: 'open', severity: 'amber', acknowledged: false },
  acknowledged: { which: 'open', acknowledged: true },
  all: { which: 'all' },
} as const
export type AttentionView = keyof typeof views

const empty = {
  open: 'Nothing needs you.',
  red: 'Nothing is red.',
  amber: 'Nothing is amber.',
  acknowledged: 'Nothing open was acknowledged.',
  all: 'Nothing ever needed you.',
} as const

/** What is open and nobody has acknowledged; the chips lead to the rest. */
export function AttentionPage() {
  const { view } = route.useSearch()
  const navigate = useNavigate({ from: '/attention' })
  const input = {
    ...(view === undefined ? ({ which: 'open', acknowledged: false } as const) : views[view]),
    limit: 50,
  }
  const {
    query: alerts,
    rows,
    newest,
  } = useListPages(trpc.alerts.list.infiniteQueryKey(input), (cursor, signal) =>
    client.alerts.list.query({ ...input, cursor }, { signal }),
  )
  const counts = newest?.counts
  return (
    <>
      <Crumbs here="Needs attention" />
      <PageHead title="Needs attention" />
      <div className="filters">
        <FilterChips
          label="Which"
          value={view}
          onChange={to => void navigate({ search: to === undefined ? {} : { view: to }, replace: true })}
          options={[
            { value: undefined, word: 'Open', count: counts && counts.red + counts.amber },
            { value: 'red', word: 'Red', count: counts?.red },
            { value: 'amber', word: 'Amber', count: counts?.amber },
            { value: 'acknowledged', word: 'Acknowledged', count: counts?.acknowledged },
            { value: 'all', word: 'With cleared ones' },
          ]}
        />
      </div>
      <QueryProblem what="The list" query={alerts} />
      <Panel
        flush
        foot={
          rows.length > 0 &&
          (view === 'all' ? 'Newest first' : 'Red first, then what has had no good result for longest')
        }
      >
        {alerts.isPending && <SkeletonRows rows={4} height={64} />}
        {alerts.data !== undefined && rows.length === 0 && (
          <Empty title={empty[view ?? 'open']}>
            Failed and late backups, silent hosts, blocked retention, plans that were not taken, copied
            machines: they appear here, each with what clears it.
          </Empty>
        )}
        {rows.length > 0 && (
          <ul>
            {rows.map(alert => (
              <AttentionRow key={alert.id} alert={alert} />
            ))}
          </ul>
        )}
        {alerts.hasNextPage && (
          <div className="alert-row">
            <Button loading={alerts.isFetchingNextPage} onClick={() => void alerts.fetchNextPage()}>
              Show more ({formatCount(rows.length)} so far)
            </Button>
          </div>
        )}
      </Panel>
    </>
  )
}
