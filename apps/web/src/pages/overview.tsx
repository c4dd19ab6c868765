// The Overview: whether everything is backed up, and if not, what to press. One query answers all of it.
import type { Overview } from '@restic-manager/contract/overview'
import { useQuery } from '@tanstack/react-query'
import { formatCount } from '../format.ts'
import { useMay } from '../me.ts'
import { AttentionRow } from '../parts/attention-row.tsx'
import { Crumbs } from '../parts/crumbs.tsx'
import { FleetStrip } from '../parts/fleet-strip.tsx'
import { LinkButton } from '../parts/link-button.tsx'
import { LoadChart } from '../parts/load-chart.tsx'
import { MaintenanceQueue } from '../parts/maintenance-queue.tsx'
import { OverviewHead } from '../parts/overview-head.tsx'
import { Empty, Panel, SkeletonRows } from '../parts/panel.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { RunningNow } from '../parts/running-now.tsx'
import { StoragePanel } from '../parts/storage-panel.tsx'
import { When } from '../parts/when.tsx'
import { trpc } from '../trpc.ts'
import './overview.css'

function Attention({ attention }: { attention: Overview['attention'] }) {
  const { rows, total, counts, lastCleared } = attention
  return (
    <Panel
      title="Needs attention"
      count={formatCount(total)}
      actions={
        <LinkButton to="/attention" variant="subtle">
          Open all
        </LinkButton>
      }
      foot={
        (total > 0 || lastCleared !== null) && (
          <div className="row row-wrap overview-foot num">
            <span>
              {formatCount(counts.red)} red, {formatCount(counts.amber)} amber
              {counts.acknowledged > 0 && ` · ${formatCount(counts.acknowledged)} acknowledged, hidden`}
            </span>
            {lastCleared !== null && (
              <span>
                Last cleared <When at={lastCleared.clearedAt} />:{' '}
                {lastCleared.host?.name ?? lastCleared.repositoryName ?? lastCleared.sentence}
              </span>
            )}
          </div>
        )
      }
      flush
    >
      {rows.length === 0 ? (
        <Empty title="Nothing needs you.">
          Failed and late backups, silent hosts and blocked retention appear here, each with what clears it.
        </Empty>
      ) : (
        <ul>
          {rows.map(alert => (
            <AttentionRow key={alert.id} alert={alert} />
          ))}
        </ul>
      )}
    </Panel>
  )
}

/** Where a fleet begins. */
function FirstHost() {
  const mayAdd = useMay('admin')
  return (
    <Panel flush>
      <Empty
        title="A host is a machine with an agent on it."
        action={
          mayAdd && (
            <LinkButton to="/hosts" variant="filled">
              Go to hosts
            </LinkButton>
          )
        }
      >
        Once one is here and backs up, this page says how it goes.
      </Empty>
    </Panel>
  )
}

function Whole({ overview }: { overview: Overview }) {
  if (overview.fleet.total === 0)
    return (
      <>
        <OverviewHead standing={overview.fleet} />
        <FirstHost />
      </>
    )
  return (
    <>
      <OverviewHead standing={overview.fleet} />
      <div className="overview-columns">
        <Attention attention={overview.attention} />
        <div className="stack">
          <RunningNow running={overview.running} />
          <MaintenanceQueue queue={overview.maintenance} />
        </div>
      </div>
      <div className="overview-halves">
        <FleetStrip days={overview.days} />
        <LoadChart load={overview.load} />
      </div>
      {overview.storage.repositoryCount > 0 && <StoragePanel storage={overview.storage} />}
    </>
  )
}

/** What is on its way, in the shape it will have. */
function Waiting() {
  return (
    <>
      <div className="overview-skeleton" aria-hidden>
        <span style={{ width: '32%', height: 20 }} />
        <span style={{ width: '64%', height: 14 }} />
        <span style={{ width: '100%', height: 12 }} />
      </div>
      <div className="overview-columns" aria-busy aria-label="Loading">
        <Panel title="Needs attention" flush>
          <SkeletonRows rows={6} height={64} />
        </Panel>
        <Panel title="Running now" flush>
          <SkeletonRows rows={3} height={88} />
        </Panel>
      </div>
      <div className="overview-halves" aria-hidden>
        <Panel title="Backups, last 30 days">
          <div className="overview-chart-skeleton" />
        </Panel>
        <Panel title="Next 24 hours">
          <div className="overview-chart-skeleton" />
        </Panel>
      </div>
    </>
  )
}

/** The first page after sign-in. */
export function OverviewPage() {
  const overview = useQuery(trpc.overview.get.queryOptions())
  return (
    <>
      <Crumbs here="Overview" />
      <QueryProblem what="The overview" query={overview} />
      {overview.data !== undefined ? <Whole overview={overview.data} /> : overview.isPending && <Waiting />}
    </>
  )
}
