// What is wrong in one row: how bad and since when, whose, why, and the button that clears it.
import type { AlertView } from '@restic-manager/contract/alerts'
import { alertKinds } from '@restic-manager/contract/alert-kinds'
import type { AlertKind } from '@restic-manager/contract/attention'
import { ActionIcon, Menu } from '@mantine/core'
import {
  IconAlertTriangle,
  IconArrowsDiff,
  IconCalendarX,
  IconCircleX,
  IconClockExclamation,
  IconDots,
  IconHelpCircle,
  IconKey,
  IconLock,
  IconPlugConnectedX,
  IconShieldLock,
  IconUserQuestion,
} from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useNow } from '../clock.ts'
import { countOf, formatDay, formatExact, formatWhen } from '../format.ts'
import { useMay } from '../me.ts'
import { useZone } from '../time-zone.ts'
import { queryClient, trpc } from '../trpc.ts'
import { ClearAction } from './clear-action.tsx'
import { HostName } from './short-name.tsx'
import { Age, Ago } from './when.tsx'
import './alerts.css'
import './attention-row.css'
import './status.css'

const NEAR_MS = 2 * 86_400_000

const icons = {
  backup_failed: IconCircleX,
  backup_lost: IconHelpCircle,
  backup_incomplete: IconAlertTriangle,
  retention_failed: IconCircleX,
  retention_overdue: IconClockExclamation,
  prune_failed: IconCircleX,
  check_failed: IconCircleX,
  check_overdue: IconClockExclamation,
  repository_locked: IconLock,
  host_late: IconClockExclamation,
  host_silent: IconPlugConnectedX,
  slots_missed: IconCalendarX,
  schedule_rejected: IconArrowsDiff,
  schedule_drift: IconArrowsDiff,
  host_cloned: IconShieldLock,
  host_waiting: IconUserQuestion,
  token_reused: IconKey,
  copy_turned_away: IconShieldLock,
  old_key_used: IconKey,
  foreign_ids: IconShieldLock,
} as const satisfies Record<AlertKind, typeof IconKey>

/** What the row is about, as a link to its page. */
function Subject({ alert }: { alert: AlertView }): ReactNode {
  const { host, repositoryId, repositoryName } = alert
  if (host !== null)
    return (
      <Link
        to="/hosts/$hostId"
        params={{ hostId: host.id }}
        className="attention-subject"
        aria-label={host.name}
      >
        <HostName name={host.name} />
      </Link>
    )
  if (repositoryId !== null && repositoryName !== null)
    return (
      <Link to="/repositories/$repositoryId" params={{ repositoryId }} className="attention-subject">
        {repositoryName}
      </Link>
    )
  return null
}

/** Where a row leads besides its button. */
function OpenItems({ alert: { jobId, host, repositoryId, scheduleId } }: { alert: AlertView }) {
  return (
    <>
      {jobId !== null && (
        <Menu.Item renderRoot={props => <Link to="/jobs/$jobId" params={{ jobId }} {...props} />}>
          Open job
        </Menu.Item>
      )}
      {host !== null && (
        <Menu.Item renderRoot={props => <Link to="/hosts/$hostId" params={{ hostId: host.id }} {...props} />}>
          Open host
        </Menu.Item>
      )}
      {repositoryId !== null && (
        <Menu.Item
          renderRoot={props => <Link to="/repositories/$repositoryId" params={{ repositoryId }} {...props} />}
        >
          Open repository
        </Menu.Item>
      )}
      {scheduleId !== null && (
        <Menu.Item
          renderRoot={props => <Link to="/schedules/$scheduleId" params={{ scheduleId }} {...props} />}
        >
          Open schedule
        </Menu.Item>
      )}
    </>
  )
}

function More({ alert }: { alert: AlertView }) {
  const may = useMay('operator')
  const acknowledge = useMutation(
    trpc.alerts.acknowledge.mutationOptions({
      onSuccess: () =>
        Promise.all([
          queryClient.invalidateQueries(trpc.alerts.pathFilter()),
          queryClient.invalidateQueries(trpc.overview.pathFilter()),
        ]),
    }),
  )
  const mayAcknowledge = may && alert.acknowledgedAt === null && alert.clearedAt === null
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`More about: ${alert.sentence}`}>
          <IconDots size={16} stroke={1.75} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {mayAcknowledge && (
          <Menu.Item onClick={() => acknowledge.mutate({ alertId: alert.id })}>
            {alertKinds[alert.kind].ends === 'event' ? 'Clear' : 'Acknowledge'}
          </Menu.Item>
        )}
        <OpenItems alert={alert} />
      </Menu.Dropdown>
    </Menu>
  )
}

/** The instant while it is near, the day later on: the exact one is in the title. */
function Since({ at }: { at: Date }) {
  const now = useNow(60_000)
  const zone = useZone()
  return (
    <time dateTime={at.toISOString()} title={formatExact(at, zone)}>
      {now - at.getTime() < NEAR_MS ? formatWhen(at, now, zone) : formatDay(at, now, zone)}
    </time>
  )
}

function Facts({ alert }: { alert: AlertView }) {
  return (
    <p className="dim break">
      {[alert.check, alert.detail?.replace(/\.$/, '')].filter(Boolean).join(' · ')}
      {alert.lastGoodAt !== null && (
        <>
          {' · last good '}
          <Ago at={alert.lastGoodAt} />
        </>
      )}
      {alertKinds[alert.kind].ends === 'event' && alert.count > 1 && ` · ${countOf(alert.count, 'time')}`}
      {alert.acknowledgedBy !== null && ` · acknowledged by ${alert.acknowledgedBy}`}
      {alert.clearedAt !== null && (
        <>
          {' · cleared '}
          <Ago at={alert.clearedAt} />
        </>
      )}
    </p>
  )
}

/** One row of the list. What was cleared stands in grey. */
export function AttentionRow({ alert }: { alert: AlertView }) {
  const Icon = icons[alert.kind]
  const tone = alert.clearedAt !== null ? 'idle' : alert.severity === 'red' ? 'bad' : 'warn'
  return (
    <li className="attention-row">
      <div className="attention-when">
        <span className={`status tone-${tone}`}>
          <Icon className="status-icon" size={16} stroke={1.75} aria-hidden />
          {alertKinds[alert.kind].word}
        </span>
        <span className="dim num attention-since">
          <Age at={alert.since} />, <Since at={alert.since} />
        </span>
      </div>
      <div className="attention-what">
        <p className="break">
          <Subject alert={alert} /> <span className="second">{alert.sentence}</span>
        </p>
        <Facts alert={alert} />
      </div>
      <div className="attention-act">
        <ClearAction alert={alert} />
        <More alert={alert} />
      </div>
    </li>
  )
}
