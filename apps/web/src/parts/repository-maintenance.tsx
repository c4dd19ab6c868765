// The maintenance of a repository: who does it, what waits for what, and what can be started now.
import { backends } from '@restic-manager/contract/backends'
import type { JobBrief, RepositoryView, ScheduleView } from '@restic-manager/contract/views'
import { Button, Menu } from '@mantine/core'
import { IconChevronDown, IconEye, IconPlayerPlay } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { formatPercent } from '../format.ts'
import { asidesOf, nameOfKind, waitsInWords } from '../job-story.ts'
import { useMay } from '../me.ts'
import { useRequestId } from '../request-id.ts'
import { retentionInShort } from '../retention-words.ts'
import { whenInShort } from '../schedule-words.ts'
import { trpc } from '../trpc.ts'
import { lazyDialog } from './lazy-dialog.tsx'
import { Details, Panel } from './panel.tsx'
import { MutationProblem } from './query-problem.tsx'
import { ShowAll } from './show-all.tsx'
import { JobStatusMark } from './status.tsx'
import { Ago, When } from './when.tsx'
import './repository-maintenance.css'

const MaintenanceDialog = lazyDialog(async () => (await import('./maintenance-form.tsx')).MaintenanceDialog)

const icon = { size: 16, stroke: 1.75, 'aria-hidden': true } as const

function QueueRow({ job }: { job: JobBrief }) {
  const waits = waitsInWords(job)
  return (
    <li className="maintenance-job">
      <JobStatusMark
        status={job.status}
        beside={
          job.status === 'running' && job.percentDone !== null ? formatPercent(job.percentDone) : undefined
        }
      />
      <span className="cut">
        <Link to="/jobs/$jobId" params={{ jobId: job.id }} className="row-link">
          {nameOfKind(job)}
        </Link>{' '}
        <span className="dim">on {[job.hostName, ...asidesOf(job)].join(', ')}</span>
      </span>
      <span className="dim cut">
        {waits !== undefined && job.waitsFor !== null ? (
          <Link to="/jobs/$jobId" params={{ jobId: job.waitsFor.jobId }} className="row-above">
            {waits}
          </Link>
        ) : (
          <Ago at={job.startedAt ?? job.createdAt} />
        )}
      </span>
    </li>
  )
}

/** Prune and check, and what keeps them from being pressed. */
function StartNow({ repository }: { repository: RepositoryView }) {
  const { idFor, done } = useRequestId()
  const run = useMutation(trpc.jobs.run.mutationOptions({ onSuccess: done }))
  const keeper = repository.maintenanceHost
  const checker = keeper ?? repository.hosts[0]
  const check = (spec: { readPercent?: number }) => {
    if (checker === undefined) return
    const asked = { hostId: checker.id, repositoryId: repository.id, kind: 'check' as const, spec }
    run.mutate({ requestId: idFor(asked), ...asked })
  }
  return (
    <>
      <div className="row row-wrap">
        <Button
          leftSection={<IconPlayerPlay {...icon} />}
          disabled={keeper === null}
          loading={run.isPending && run.variables.kind === 'prune'}
          onClick={() => {
            if (keeper === null) return
            const asked = { hostId: keeper.id, repositoryId: repository.id, kind: 'prune' as const, spec: {} }
            run.mutate({ requestId: idFor(asked), ...asked })
          }}
        >
          Prune now
        </Button>
        <Menu position="bottom-start" shadow="md" radius="lg">
          <Menu.Target>
            <Button
              leftSection={<IconPlayerPlay {...icon} />}
              rightSection={<IconChevronDown {...icon} />}
              disabled={checker === undefined}
              loading={run.isPending && run.variables.kind === 'check'}
            >
              Check now
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => check({})}>The structure only</Menu.Item>
            <Menu.Item onClick={() => check({ readPercent: 5 })}>And 5 % of the data</Menu.Item>
            <Menu.Item onClick={() => check({ readPercent: 100 })}>And all of the data</Menu.Item>
          </Menu.Dropdown>
        </Menu>
        {keeper === null && <span className="dim">Pruning needs a maintenance host.</span>}
      </div>
      <MutationProblem what="It was not started." error={run.error} />
    </>
  )
}

/** The retention of one schedule here, with a preview and Run now. */
function RetentionRow({ schedule, repository }: { schedule: ScheduleView; repository: RepositoryView }) {
  const mayRun = useMay('operator')
  const navigate = useNavigate()
  const { idFor, done } = useRequestId()
  const { name, retention = {}, forgets = [] } = schedule.schedule
  const open = (jobId: string | undefined) => {
    done()
    if (jobId !== undefined) void navigate({ to: '/jobs/$jobId', params: { jobId } })
  }
  const preview = useMutation(
    trpc.schedules.previewRetention.mutationOptions({ onSuccess: ({ jobId }) => open(jobId) }),
  )
  const run = useMutation(trpc.schedules.runNow.mutationOptions({ onSuccess: done }))
  return (
    <li className="maintenance-plan">
      <div className="grow">
        <p className="cut">
          <Link to="/schedules/$scheduleId" params={{ scheduleId: schedule.id }} className="strong">
            {name}
          </Link>{' '}
          <span className="dim">of {schedule.hostName}</span>
        </p>
        <p className="dim">
          keeps {retentionInShort(retention)}, {whenInShort(schedule.schedule)}
          {!schedule.schedule.enabled && ', paused'}
        </p>
        {schedule.overdueSince !== null && (
          <p className="tone-bad">
            overdue since <When at={schedule.overdueSince} />
          </p>
        )}
        <MutationProblem what="It was not started." error={preview.error ?? run.error} />
      </div>
      {mayRun && (
        <div className="row">
          <Button
            leftSection={<IconEye {...icon} />}
            loading={preview.isPending}
            aria-label={`Preview ${name}`}
            onClick={() => {
              const asked = {
                hostId: schedule.hostId,
                repositoryId: repository.id,
                retention,
                scheduleIds: forgets,
              }
              preview.mutate({ requestId: idFor(asked), ...asked })
            }}
          >
            Preview
          </Button>
          <Button
            loading={run.isPending}
            aria-label={`Run now: ${name}`}
            onClick={() => run.mutate({ requestId: idFor(schedule.id), scheduleId: schedule.id })}
          >
            Run now
          </Button>
        </div>
      )}
    </li>
  )
}

/** What makes a repository unsafe, and what to do about it. Nothing for a safe one. */
function Safety({ repository }: { repository: RepositoryView }) {
  const { maintenanceHost, riskAcceptedBy } = repository
  if (!repository.mayDelete && !repository.ransomwareUnsafe) return null
  return (
    <p className="second">
      <span className="tone-bad strong">Not ransomware-safe.</span>{' '}
      {repository.mayDelete
        ? 'Its hosts can delete their own backups. Use storage that only appends, edit the repository to say so, and name a maintenance host with the admin credential.'
        : `${maintenanceHost?.name ?? 'The maintenance host'} backs up here and may delete. Choose a maintenance host that backs up nothing here.`}
      {riskAcceptedBy !== null && ` Accepted by ${riskAcceptedBy}.`}
    </p>
  )
}

/** With which credential it works; empty for storage that has none. */
function adminAccess({ kind, adminUsername, hasAdminCredential }: RepositoryView): string {
  const takes = backends[kind]
  return [
    ...(takes.username ? [adminUsername === null ? 'the everyday user' : `user ${adminUsername}`] : []),
    ...(takes.credential ? [hasAdminCredential ? 'an admin secret' : 'the everyday secret'] : []),
  ].join(', ')
}

/** The card of the repository page. */
export function RepositoryMaintenance({ repository }: { repository: RepositoryView }) {
  const mayRun = useMay('operator')
  const mayEdit = useMay('admin')
  const [editing, setEditing] = useState(false)
  const schedules = useQuery(
    trpc.schedules.list.queryOptions({ repositoryId: repository.id, kind: 'forget' }),
  ).data
  // What is overdue, the longest first, is never among those that are not shown.
  const retentions = (schedules ?? []).toSorted(
    (a, b) => (a.overdueSince?.getTime() ?? Infinity) - (b.overdueSince?.getTime() ?? Infinity) || 0,
  )
  const { maintenanceHost, checkRotation } = repository
  const access = adminAccess(repository)
  return (
    <Panel
      title="Maintenance"
      flush
      actions={
        mayEdit && (
          <Button onClick={() => setEditing(true)}>
            {maintenanceHost === null ? 'Choose a host' : 'Change'}
          </Button>
        )
      }
    >
      <div className="panel-body stack">
        <Details
          items={[
            {
              term: 'Done by',
              value:
                maintenanceHost === null ? (
                  <span className="dim">no host yet: nothing is pruned</span>
                ) : (
                  <Link to="/hosts/$hostId" params={{ hostId: maintenanceHost.id }}>
                    {maintenanceHost.name}
                  </Link>
                ),
            },
            ...(maintenanceHost === null || access === '' ? [] : [{ term: 'With', value: access }]),
            ...(checkRotation === null
              ? []
              : [
                  {
                    term: 'Read back',
                    value: `${checkRotation.done} of ${checkRotation.of} parts in this round`,
                  },
                ]),
          ]}
        />
        <Safety repository={repository} />
        {mayRun && <StartNow repository={repository} />}
      </div>
      {repository.maintenance.length > 0 && (
        <ul className="maintenance-list" aria-label="Maintenance that runs or waits">
          {repository.maintenance.map(job => (
            <QueueRow key={job.id} job={job} />
          ))}
        </ul>
      )}
      {retentions.length > 0 && (
        <ShowAll all={retentions} most={5} noun="retentions">
          {shown => (
            <ul className="maintenance-list" aria-label="Retention">
              {shown.map(schedule => (
                <RetentionRow key={schedule.id} schedule={schedule} repository={repository} />
              ))}
            </ul>
          )}
        </ShowAll>
      )}
      <MaintenanceDialog opened={editing} repository={repository} onClose={() => setEditing(false)} />
    </Panel>
  )
}
