// The schedules of a host: what, when, how the last run ended, what comes next, and what can be pressed.
import type { HostView, ScheduleView } from '@restic-manager/contract/views'
import { Button, Menu } from '@mantine/core'
import { IconPlayerPause, IconPlus } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { formatPercent } from '../format.ts'
import { whyNotRun } from '../host-policy.ts'
import { useMay } from '../me.ts'
import { whatInShort, whenInShort } from '../schedule-words.ts'
import { trpc } from '../trpc.ts'
import { kindWords, shortReason } from '../words.ts'
import { LinkButton } from './link-button.tsx'
import { Empty, Panel, SkeletonRows } from './panel.tsx'
import { QueryProblem } from './query-problem.tsx'
import { ScheduleActions } from './schedule-actions.tsx'
import { ScheduleSync } from './schedule-sync.tsx'
import { ShortName } from './short-name.tsx'
import { JobStatusMark } from './status.tsx'
import { Ago, When } from './when.tsx'
import './table.css'
import './schedule-list.css'

const kinds = ['backup', 'forget', 'prune', 'check'] as const

/** A choice of what to plan on a host. */
export function AddSchedule({ hostId }: { hostId: string }) {
  return (
    <Menu position="bottom-end" shadow="md" radius="lg">
      <Menu.Target>
        <Button leftSection={<IconPlus size={16} stroke={1.75} aria-hidden />}>Add schedule</Button>
      </Menu.Target>
      <Menu.Dropdown>
        {kinds.map(kind => (
          <Menu.Item
            key={kind}
            renderRoot={props => (
              <Link {...props} to="/hosts/$hostId/schedules/add" params={{ hostId }} search={{ kind }} />
            )}
          >
            {kindWords[kind]}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

function Where({ schedule }: { schedule: ScheduleView }) {
  const [first, ...others] = schedule.repositories
  if (first === undefined) return null
  return (
    <>
      {' → '}
      {first.name ?? 'a removed repository'}
      {others.length > 0 && ` +${others.length}`}
    </>
  )
}

function LastResult({ schedule: { lastJob } }: { schedule: ScheduleView }) {
  if (lastJob === null) return <span className="dim">not run yet</span>
  const { status, percentDone } = lastJob
  return (
    <Link to="/jobs/$jobId" params={{ jobId: lastJob.id }} className="row-above schedule-last">
      <span className="visually-hidden">Last job: </span>
      <JobStatusMark
        status={status}
        beside={
          status === 'running' && percentDone !== null
            ? formatPercent(percentDone)
            : status === 'succeeded'
              ? undefined
              : shortReason(lastJob.reason)
        }
      />
      <span className="dim schedule-last-when">
        <When at={lastJob.startedAt ?? lastJob.scheduledFor ?? lastJob.createdAt} />
      </span>
    </Link>
  )
}

function NextRun({ host, schedule }: { host: HostView; schedule: ScheduleView }) {
  const isHeld = host.pause !== null && schedule.nextRunAt === null && !schedule.schedule.manual
  if (!schedule.schedule.enabled || isHeld)
    return (
      <span className="chip">
        <IconPlayerPause size={14} stroke={1.75} aria-hidden />
        {schedule.schedule.enabled ? 'host paused' : 'paused'}
      </span>
    )
  if (schedule.schedule.manual) return <span className="dim">by Run now</span>
  if (schedule.nextRunAt === null) return <span className="dim">–</span>
  return <When at={schedule.nextRunAt} />
}

function Row({ host, schedule }: { host: HostView; schedule: ScheduleView }) {
  const draft = schedule.schedule
  const mayEdit = useMay('admin')
  const whyNot = whyNotRun(host, draft)
  return (
    <li className="schedule-row" aria-label={draft.name}>
      <div className="schedule-name">
        {mayEdit ? (
          <Link
            to="/schedules/$scheduleId"
            params={{ scheduleId: schedule.id }}
            className="row-link schedule-link"
            title={draft.name}
          >
            <ShortName name={draft.name} most={40} />
          </Link>
        ) : (
          <span className="strong cut">{draft.name}</span>
        )}
        <p className="dim cut">
          {whatInShort(draft)}
          <Where schedule={schedule} />
        </p>
        {schedule.sync !== 'in sync' && (
          <p>
            <ScheduleSync schedule={schedule} />
          </p>
        )}
        {schedule.sync === 'rejected' && <p className="tone-bad break">{schedule.rejected?.reason}</p>}
        {whyNot !== undefined && (
          <p className="tone-bad break" title={whyNot.full}>
            {whyNot.short}
          </p>
        )}
        {schedule.overdueSince !== null && (
          <p className="tone-bad">
            overdue, last good <Ago at={schedule.lastSucceededAt} />
          </p>
        )}
      </div>
      <div className="schedule-when">
        <p className="cut" title={draft.manual ? undefined : draft.cron}>
          {whenInShort(draft)}
        </p>
        <p className="dim cut">{draft.manual ? '–' : draft.timeZone}</p>
      </div>
      <div className="schedule-result">
        <LastResult schedule={schedule} />
      </div>
      <div className="schedule-next num">
        <NextRun host={host} schedule={schedule} />
      </div>
      <div className="row-above schedule-press">
        <ScheduleActions host={host} schedule={schedule} isForbidden={whyNot !== undefined} />
      </div>
    </li>
  )
}

/** The card of the host page. */
export function ScheduleList({ host }: { host: HostView }) {
  const mayEdit = useMay('admin')
  const schedules = useQuery(trpc.schedules.list.queryOptions({ hostId: host.id }))
  const rows = schedules.data ?? []
  const canPlan = mayEdit && host.repositories.length > 0
  return (
    <Panel
      title="Schedules"
      count={rows.length > 0 && rows.length}
      flush
      actions={canPlan && rows.length > 0 && <AddSchedule hostId={host.id} />}
    >
      <QueryProblem what="The schedules" query={schedules} />
      {schedules.isPending && <SkeletonRows rows={2} height={60} />}
      {schedules.isSuccess && rows.length === 0 && (
        <Empty
          title="Nothing is planned on this host yet."
          action={
            canPlan && (
              <LinkButton to="/hosts/$hostId/schedules/add" params={{ hostId: host.id }}>
                {host.suggestedBackup === null ? 'Plan backups' : 'Make the last backup a schedule'}
              </LinkButton>
            )
          }
        >
          {host.suggestedBackup === null
            ? 'A schedule backs up by itself, also while this server is away.'
            : 'The folders of the last backup are filled in. It then runs by itself, also while this server is away.'}
        </Empty>
      )}
      {rows.length > 0 && (
        <>
          <div className="table-head schedule-head" aria-hidden>
            {['Schedule', 'When', 'Last result', 'Next run', ''].map(word => (
              <span key={word}>{word}</span>
            ))}
          </div>
          <ul className="schedule-rows">
            {rows.map(schedule => (
              <Row key={schedule.id} host={host} schedule={schedule} />
            ))}
          </ul>
        </>
      )}
    </Panel>
  )
}
