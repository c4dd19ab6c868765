// A schedule as a page: a new one for a host, or one that is edited.
import type { HostView, ScheduleView } from '@restic-manager/contract/views'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'
import { useMay } from '../me.ts'
import { Crumbs } from '../parts/crumbs.tsx'
import { LinkButton } from '../parts/link-button.tsx'
import { Empty, Panel, SkeletonRows } from '../parts/panel.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { ScheduleEditor } from '../parts/schedule-editor.tsx'
import { newSchedule } from '../schedule-draft.ts'
import { useHostZone } from '../time-zone.ts'
import { refusalIn, trpc } from '../trpc.ts'

const addRoute = getRouteApi('/shell/hosts/$hostId/schedules/add')
const editRoute = getRouteApi('/shell/schedules/$scheduleId')

const Skeleton = () => (
  <Panel flush>
    <SkeletonRows rows={8} height={52} />
  </Panel>
)

const Way = ({ host, here }: { host: { id: string; name: string } | undefined; here: string }) => (
  <Crumbs
    way={[
      { word: 'Hosts', link: { to: '/hosts' } },
      ...(host === undefined
        ? []
        : [{ word: host.name, link: { to: '/hosts/$hostId', params: { hostId: host.id } } as const }]),
    ]}
    here={here}
  />
)

const MayNot = ({ hostId }: { hostId: string }) => (
  <Empty
    title="Your role may look at schedules, not change them."
    action={
      <LinkButton to="/hosts/$hostId" params={{ hostId }}>
        Back to the host
      </LinkButton>
    }
  >
    An admin can.
  </Empty>
)

function NewOfHost({ host, schedules }: { host: HostView; schedules: ScheduleView[] }) {
  const { kind = 'backup' } = addRoute.useSearch()
  // Made once: what changes on the host meanwhile must not change what was typed.
  const [initial] = useState(() => newSchedule(kind, host, { repositories: host.repositories, schedules }))
  return <ScheduleEditor host={host} schedules={schedules} initial={initial} />
}

/** A new schedule of a host. */
export function AddSchedulePage() {
  const { hostId } = addRoute.useParams()
  const { kind } = addRoute.useSearch()
  const mayEdit = useMay('admin')
  const host = useQuery(trpc.hosts.get.queryOptions({ hostId }))
  const schedules = useQuery(trpc.schedules.list.queryOptions({ hostId }))
  useHostZone(host.data?.timeZone)
  const isReady = host.data !== undefined && schedules.data !== undefined
  return (
    <>
      <Way host={host.data} here="New schedule" />
      <QueryProblem what="The host" query={host} />
      <QueryProblem what="The schedules" query={schedules} />
      {!isReady && (host.isPending || schedules.isPending) && <Skeleton />}
      {isReady && !mayEdit && <MayNot hostId={hostId} />}
      {isReady && mayEdit && <NewOfHost key={kind} host={host.data} schedules={schedules.data} />}
    </>
  )
}

/** One schedule, edited. */
export function SchedulePage() {
  const { scheduleId } = editRoute.useParams()
  const mayEdit = useMay('admin')
  const schedule = useQuery(trpc.schedules.get.queryOptions({ scheduleId }))
  const hostId = schedule.data?.hostId ?? ''
  const enabled = schedule.data !== undefined
  const host = useQuery(trpc.hosts.get.queryOptions({ hostId }, { enabled }))
  const schedules = useQuery(trpc.schedules.list.queryOptions({ hostId }, { enabled }))
  useHostZone(host.data?.timeZone)
  const gone = refusalIn(schedule.error) === 'schedule_not_found'
  const isReady = schedule.data !== undefined && host.data !== undefined && schedules.data !== undefined
  return (
    <>
      <Way
        host={schedule.data && { id: schedule.data.hostId, name: schedule.data.hostName }}
        here={schedule.data?.schedule.name ?? 'Schedule'}
      />
      {gone ? (
        <Empty
          title="This schedule is not here any more."
          action={<LinkButton to="/hosts">All hosts</LinkButton>}
        >
          It was deleted, or the link is not complete.
        </Empty>
      ) : (
        <QueryProblem what="The schedule" query={schedule} />
      )}
      <QueryProblem what="The host" query={host} />
      <QueryProblem what="The schedules of the host" query={schedules} />
      {!isReady && !schedule.isError && <Skeleton />}
      {isReady && !gone && !mayEdit && <MayNot hostId={hostId} />}
      {isReady && !gone && mayEdit && (
        <ScheduleEditor
          key={scheduleId}
          host={host.data}
          schedules={schedules.data}
          saved={schedule.data}
          initial={schedule.data.schedule}
        />
      )}
    </>
  )
}
