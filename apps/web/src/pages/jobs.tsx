// All jobs, newest first. Kind, status, host and time are chosen in the address; the honest non-runs stand among the rest.
import type { JobKind, JobStatus } from '@restic-manager/contract/job'
import { Button } from '@mantine/core'
import { IconX } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { instantsOf } from '../day-range.ts'
import { type JobSpan, jobSpans, startOf } from '../job-spans.ts'
import { useListPages } from '../list-pages.ts'
import { Crumbs } from '../parts/crumbs.tsx'
import { DayRange } from '../parts/day-range.tsx'
import { FilterChips } from '../parts/filter-chips.tsx'
import { HostFilter } from '../parts/host-filter.tsx'
import { JobTable } from '../parts/job-table.tsx'
import { LinkButton } from '../parts/link-button.tsx'
import { Empty, PageHead, Panel, SkeletonRows } from '../parts/panel.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { client, trpc } from '../trpc.ts'
import { kindWords, statusWords } from '../words.ts'

const route = getRouteApi('/shell/jobs')

/** The statuses worth a chip. Queued and accepted are one idea to a person: not started yet. */
const statusChips = [
  'queued',
  'running',
  'succeeded',
  'incomplete',
  'failed',
  'lost',
  'cancelled',
  'skipped',
  'missed',
  'expired',
] as const satisfies readonly JobStatus[]

const jobKinds = Object.keys(kindWords) as JobKind[]
const jobSpanKeys = Object.keys(jobSpans) as JobSpan[]

const statusesOf = (status: JobStatus | undefined): JobStatus[] | undefined =>
  status === undefined ? undefined : status === 'queued' ? ['queued', 'accepted'] : [status]

/** Says whose jobs these are when the address asks for those of one repository or schedule. */
function Only({
  repositoryId,
  scheduleId,
  clear,
}: {
  repositoryId: string | undefined
  scheduleId: string | undefined
  clear: () => void
}) {
  const repository = useQuery(
    trpc.repositories.get.queryOptions(
      { repositoryId: repositoryId ?? '' },
      { enabled: repositoryId !== undefined },
    ),
  ).data
  const schedule = useQuery(
    trpc.schedules.get.queryOptions(
      { scheduleId: scheduleId ?? '' },
      { enabled: scheduleId !== undefined, retry: false },
    ),
  )
  if (repositoryId === undefined && scheduleId === undefined) return null
  const planned = schedule.data && `${schedule.data.schedule.name} of ${schedule.data.hostName}`
  const of = [planned ?? (schedule.isError ? 'a deleted schedule' : undefined), repository?.name]
    .filter(name => name !== undefined)
    .join(', ')
  return (
    <Button
      rightSection={<IconX size={14} stroke={1.75} aria-hidden />}
      onClick={clear}
      aria-label="Show the jobs of all"
    >
      only {of}
    </Button>
  )
}

/** The list of jobs. */
export function JobsPage() {
  const filter = route.useSearch()
  const navigate = useNavigate({ from: '/jobs' })
  const input = {
    limit: 100,
    hostId: filter.hostId,
    repositoryId: filter.repositoryId,
    scheduleId: filter.scheduleId,
    kinds: filter.kind && [filter.kind],
    statuses: statusesOf(filter.status),
    ...instantsOf({ from: filter.from, until: filter.until }),
  }
  const {
    query: jobs,
    rows,
    onView,
  } = useListPages([...trpc.jobs.list.infiniteQueryKey(input), filter.since], (cursor, signal) =>
    client.jobs.list.query(
      filter.since === undefined
        ? { ...input, cursor }
        : { ...input, from: startOf(filter.since), until: undefined, cursor },
      { signal },
    ),
  )
  const setTimes = (times: Pick<typeof filter, 'since' | 'from' | 'until'>) =>
    void navigate({ search: old => ({ ...old, ...times }), replace: true })
  /** Days are chosen, so none of the shorter words for a time is. */
  const isOfDays = filter.from !== undefined || filter.until !== undefined
  const filtered = Object.values(filter).some(value => value !== undefined)
  return (
    <>
      <Crumbs here="Jobs" />
      <PageHead title="Jobs" />
      <div className="filters">
        <FilterChips
          label="Kind"
          value={filter.kind}
          onChange={kind => void navigate({ search: old => ({ ...old, kind }), replace: true })}
          options={[
            { value: undefined, word: 'All kinds' },
            ...jobKinds.map(kind => ({ value: kind, word: kindWords[kind] })),
          ]}
        />
        <FilterChips
          label="Status"
          value={filter.status}
          onChange={status => void navigate({ search: old => ({ ...old, status }), replace: true })}
          options={[
            { value: undefined, word: 'Any status' },
            ...statusChips.map(status => ({ value: status, word: statusWords[status] })),
          ]}
        />
        <FilterChips
          label="Since"
          value={isOfDays ? 'days' : filter.since}
          onChange={since =>
            setTimes({ since: since === 'days' ? undefined : since, from: undefined, until: undefined })
          }
          options={[
            { value: undefined, word: 'Any time' },
            ...jobSpanKeys.map(span => ({ value: span, word: jobSpans[span].word })),
          ]}
        />
        <DayRange
          from={filter.from}
          until={filter.until}
          onChange={range => setTimes({ ...range, since: undefined })}
        />
        <HostFilter
          value={filter.hostId}
          onChange={hostId => void navigate({ search: old => ({ ...old, hostId }), replace: true })}
        />
        <Only
          repositoryId={filter.repositoryId}
          scheduleId={filter.scheduleId}
          clear={() =>
            void navigate({
              search: old => ({ ...old, repositoryId: undefined, scheduleId: undefined }),
              replace: true,
            })
          }
        />
      </div>
      <QueryProblem what="The list of jobs" query={jobs} />
      <Panel
        flush
        foot={
          rows.length > 0 &&
          'Newest first. Grey rows did not run to an end; the reason stands in the last column.'
        }
      >
        {jobs.isPending && <SkeletonRows rows={10} />}
        {rows.length > 0 && <JobTable jobs={rows} hasMore={jobs.hasNextPage} onView={onView} />}
        {jobs.isSuccess && rows.length === 0 && (
          <Empty
            title={filtered ? 'No job matches.' : 'No job yet.'}
            action={
              filtered ? (
                <Button onClick={() => void navigate({ search: {}, replace: true })}>Show all jobs</Button>
              ) : (
                <LinkButton to="/hosts">Go to hosts</LinkButton>
              )
            }
          >
            {filtered
              ? 'Other kinds, statuses or times may.'
              : 'Jobs appear here when a host backs up, tests a repository or maintains one. Open a host to start one.'}
          </Empty>
        )}
      </Panel>
    </>
  )
}
