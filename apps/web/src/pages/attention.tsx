// What needs a person: everything that is open, and what was.
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useListPages } from '../list-pages.ts'
import { AlertRow } from '../parts/alerts.tsx'
import { Crumbs } from '../parts/crumbs.tsx'
import { FilterChips } from '../parts/filter-chips.tsx'
import { Button } from '@mantine/core'
import { Empty, PageHead, Panel, SkeletonRows } from '../parts/panel.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { client, trpc } from '../trpc.ts'

const route = getRouteApi('/shell/attention')

/** The list of alerts, newest first. */
export function AttentionPage() {
  const which = route.useSearch().which ?? ('open' as const)
  const navigate = useNavigate({ from: '/attention' })
  const input = { which, limit: 50 } as const
  const { query: alerts, rows } = useListPages(trpc.alerts.list.infiniteQueryKey(input), (cursor, signal) =>
    client.alerts.list.query({ ...input, cursor }, { signal }),
  )
  return (
    <>
      <Crumbs here="Needs attention" />
      <PageHead title="Needs attention" />
      <div className="filters">
        <FilterChips
          label="Which"
          value={which}
          onChange={to => void navigate({ search: to === 'all' ? { which: 'all' } : {}, replace: true })}
          options={[
            { value: 'open', word: 'Open' },
            { value: 'all', word: 'All' },
          ]}
        />
      </div>
      <QueryProblem what="The list" query={alerts} />
      <Panel flush>
        {alerts.isPending && <SkeletonRows rows={4} height={72} />}
        {alerts.data !== undefined && rows.length === 0 && (
          <Empty title={which === 'open' ? 'Nothing needs you.' : 'Nothing ever did.'}>
            Tokens that are tried twice, copied machines, hosts that wait for approval: they appear here.
          </Empty>
        )}
        {rows.length > 0 && (
          <ul className="alert-rows">
            {rows.map(alert => (
              <AlertRow key={alert.id} alert={alert} />
            ))}
          </ul>
        )}
        {alerts.hasNextPage && (
          <div className="alert-row">
            <Button loading={alerts.isFetchingNextPage} onClick={() => void alerts.fetchNextPage()}>
              Show older ones
            </Button>
          </div>
        )}
      </Panel>
    </>
  )
}
