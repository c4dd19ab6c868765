// One host: how it is, what it backs up to, what ran, and what can be pressed.
import type { HostView, JobBrief } from '@restic-manager/contract/views'
import { Button, Modal } from '@mantine/core'
import { IconEdit, IconPlayerPlay } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useNow } from '../clock.ts'
import { formatDuration, formatPercent } from '../format.ts'
import { useMay } from '../me.ts'
import { AlertNotices } from '../parts/alerts.tsx'
import { BackupForm } from '../parts/backup-form.tsx'
import { Crumbs } from '../parts/crumbs.tsx'
import { DayStrip } from '../parts/day-strip.tsx'
import { HostEvents } from '../parts/host-events.tsx'
import { HostPolicy } from '../parts/host-policy.tsx'
import { HostKey } from '../parts/host-identity.tsx'
import { HostVitals } from '../parts/host-vitals.tsx'
import { HostNotice } from '../parts/host-notice.tsx'
import { PauseHost } from '../parts/host-pause.tsx'
import { EditHost, HostDanger } from '../parts/host-settings.tsx'
import { JobRows } from '../parts/job-table.tsx'
import { LinkButton } from '../parts/link-button.tsx'
import { LiveBar } from '../parts/live-bar.tsx'
import { Empty, PageHead, Panel, SkeletonRows } from '../parts/panel.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { RepositoryCard } from '../parts/repository-card.tsx'
import { ScheduleList } from '../parts/schedule-list.tsx'
import { HostName } from '../parts/short-name.tsx'
import { SnapshotList } from '../parts/snapshot-list.tsx'
import { HostStateMark } from '../parts/status.tsx'
import { When } from '../parts/when.tsx'
import { useHostZone } from '../time-zone.ts'
import { refusalIn, trpc } from '../trpc.ts'
import { nameOfKind } from '../job-story.ts'

const route = getRouteApi('/shell/hosts/$hostId')

function RunningJob({ job, online }: { job: JobBrief; online: boolean }) {
  const now = useNow(1_000)
  const share = job.percentDone ?? undefined
  return (
    <Panel
      title={
        <>
          {nameOfKind(job)} <span className="dim">to {job.repositoryName ?? 'a removed repository'}</span>
        </>
      }
      actions={
        <LinkButton to="/jobs/$jobId" params={{ jobId: job.id }}>
          Watch
        </LinkButton>
      }
    >
      <div className="stack stack-sm">
        <LiveBar share={share} label={`${nameOfKind(job)} running`} still={!online} />
        <p className="dim num">
          {job.startedAt === null
            ? 'accepted, about to start'
            : `${share === undefined ? 'counting files' : formatPercent(share)} · ${formatDuration(now - job.startedAt.getTime())} elapsed`}
          {!online && ' · the agent is offline, restic goes on'}
        </p>
      </div>
    </Panel>
  )
}

function RecentJobs({ host }: { host: HostView }) {
  const jobs = useQuery(trpc.jobs.list.queryOptions({ hostId: host.id, limit: 10 }))
  return (
    <Panel
      title="Recent jobs"
      count={<DayStrip days={host.days} />}
      flush
      actions={
        <Link to="/jobs" search={{ hostId: host.id }}>
          All jobs
        </Link>
      }
    >
      <QueryProblem what="The jobs" query={jobs} />
      {jobs.isPending && <SkeletonRows rows={5} />}
      {jobs.data !== undefined && jobs.data.rows.length === 0 && (
        <Empty title="No job yet.">Tests and backups of this host appear here.</Empty>
      )}
      {jobs.data !== undefined && jobs.data.rows.length > 0 && <JobRows jobs={jobs.data.rows} />}
    </Panel>
  )
}

function HostBody({ host }: { host: HostView }) {
  const navigate = useNavigate()
  const mayRun = useMay('operator')
  const mayEdit = useMay('admin')
  const [dialog, setDialog] = useState<'run' | 'edit'>()
  const close = () => setDialog(undefined)
  useHostZone(host.timeZone)
  const facts = [
    host.hostname !== host.name ? host.hostname : undefined,
    host.os === null ? undefined : `${host.os}, ${host.arch}`,
    host.timeZone,
  ].filter(fact => fact != null)
  return (
    <>
      <PageHead
        title={host.name}
        beside={
          <>
            <HostStateMark state={host.state} />
            {host.tags.map(tag => (
              <span key={tag} className="chip">
                {tag}
              </span>
            ))}
          </>
        }
        below={
          <>
            {facts.join(' · ')} · enrolled <When at={host.enrolledAt} />
          </>
        }
        actions={
          <>
            {mayEdit && (
              <Button
                leftSection={<IconEdit size={16} stroke={1.75} aria-hidden />}
                onClick={() => setDialog('edit')}
              >
                Edit
              </Button>
            )}
            {mayRun && <PauseHost host={host} />}
            {mayRun && host.repositories.length > 0 && (
              <Button
                variant="filled"
                leftSection={<IconPlayerPlay size={16} stroke={1.75} aria-hidden />}
                onClick={() => setDialog('run')}
                disabled={host.state === 'quarantined' || host.state === 'waiting'}
              >
                Run now
              </Button>
            )}
          </>
        }
      />
      <HostNotice
        host={host}
        runNow={() => setDialog('run')}
        onGone={() => void navigate({ to: '/hosts' })}
      />
      <AlertNotices hostId={host.id} />
      <HostVitals host={host} />
      <div className="with-side">
        <div className="stack">
          {host.runningJob !== null && <RunningJob job={host.runningJob} online={host.online} />}
          <ScheduleList host={host} />
          <RecentJobs host={host} />
          <SnapshotList of={{ hostId: host.id }} />
          <HostEvents host={host} />
        </div>
        <div className="stack">
          <Panel
            title="Repositories"
            count={host.repositories.length}
            flush
            actions={
              mayEdit && (
                <LinkButton to="/repositories/add" search={{ hostId: host.id }}>
                  Add
                </LinkButton>
              )
            }
          >
            {host.repositories.length === 0 && (
              <Empty title="None yet.">A repository is a place that holds backups.</Empty>
            )}
            {host.repositories.map(repository => (
              <RepositoryCard key={repository.id} host={host} repository={repository} />
            ))}
          </Panel>
          <HostPolicy host={host} />
          <HostKey host={host} />
          {mayEdit && <HostDanger host={host} />}
        </div>
      </div>
      <Modal
        opened={dialog === 'run'}
        onClose={close}
        title={`Back up ${host.name} now`}
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <BackupForm
          host={host}
          onStarted={jobId => void navigate({ to: '/jobs/$jobId', params: { jobId } })}
        />
      </Modal>
      {dialog === 'edit' && <EditHost host={host} opened onClose={close} />}
    </>
  )
}

/** The page of one host. */
export function HostPage() {
  const { hostId } = route.useParams()
  const host = useQuery(trpc.hosts.get.queryOptions({ hostId }))
  const gone = refusalIn(host.error) === 'host_not_found'
  return (
    <>
      <Crumbs
        way={[{ word: 'Hosts', link: { to: '/hosts' } }]}
        here={host.data?.name ?? 'Host'}
        shown={host.data && <HostName name={host.data.name} />}
      />
      {gone ? (
        <Empty
          title="This host is not here any more."
          action={<LinkButton to="/hosts">All hosts</LinkButton>}
        >
          It was removed, or the link is not complete.
        </Empty>
      ) : (
        <QueryProblem what="The host" query={host} />
      )}
      {host.isPending && (
        <Panel flush>
          <SkeletonRows rows={8} height={52} />
        </Panel>
      )}
      {host.data !== undefined && !gone && <HostBody host={host.data} />}
    </>
  )
}
