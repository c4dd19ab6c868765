// What a forget, prune or check came to, as a panel of its own.
import { CheckSpec } from '@restic-manager/contract/command'
import type { JobView } from '@restic-manager/contract/views'
import { useQuery } from '@tanstack/react-query'
import { countOf, formatBytes, formatCount } from '../format.ts'
import { forgetGroups, type Group } from '../forget-groups.ts'
import { trpc } from '../trpc.ts'
import { ForgetResult } from './forget-result.tsx'
import { Details, Panel } from './panel.tsx'

const numberIn = (stats: JobView['stats'], name: string): number | undefined => {
  const value = stats?.[name]
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

function Forgot({ job }: { job: JobView }) {
  const schedules = useQuery(
    trpc.schedules.list.queryOptions(
      { repositoryId: job.repositoryId, kind: 'forget' },
      { enabled: job.stats !== null },
    ),
  ).data
  const result = forgetGroups(job.stats)
  if (result === undefined) return null
  const nameOf = (group: Group) => {
    const schedule = schedules?.find(({ id }) => id === group.scheduleId)
    return schedule === undefined ? 'a deleted schedule' : `${schedule.schedule.name} of ${schedule.hostName}`
  }
  return (
    <Panel
      title={
        result.dryRun ? 'What would go, and why the others stay' : 'What went, and why the others stayed'
      }
      flush
    >
      <ForgetResult groups={result.groups} dryRun={result.dryRun} nameOf={nameOf} />
    </Panel>
  )
}

function Pruned({ stats }: { stats: JobView['stats'] }) {
  const rows = [
    { term: 'Freed', name: 'removedBytes' },
    { term: 'Moved', name: 'repackBytes' },
    { term: 'Remaining', name: 'remainingBytes' },
    { term: 'Still unused', name: 'unusedBytes' },
  ].flatMap(({ term, name }) => {
    const bytes = numberIn(stats, name)
    return bytes === undefined ? [] : [{ term, value: formatBytes(bytes) }]
  })
  return rows.length === 0 ? null : (
    <Panel title="What it freed">
      <Details items={rows} />
    </Panel>
  )
}

function Checked({ job }: { job: JobView }) {
  const errors = numberIn(job.stats, 'errors')
  if (errors === undefined) return null
  const spec = CheckSpec.safeParse(job.spec).data
  const packs = numberIn(job.stats, 'packsRead')
  const depth =
    spec?.readPart !== undefined
      ? `part ${spec.readPart.part} of ${spec.readPart.of} of all data`
      : spec?.readPercent !== undefined
        ? `${spec.readPercent} % of the data`
        : 'the structure, no data'
  return (
    <Panel title="What it checked">
      <Details
        items={[
          { term: 'Read', value: packs === undefined ? depth : `${depth}, ${countOf(packs, 'pack')}` },
          {
            term: 'Damage',
            value:
              errors === 0 ? 'none found' : <span className="tone-bad">{formatCount(errors)} found</span>,
          },
        ]}
      />
    </Panel>
  )
}

/** Nothing for other kinds, and for jobs that did not get that far. */
export function JobResult({ job }: { job: JobView }) {
  switch (job.kind) {
    case 'forget':
      return <Forgot job={job} />
    case 'prune':
      return <Pruned stats={job.stats} />
    case 'check':
      return <Checked job={job} />
    default:
      return null
  }
}
