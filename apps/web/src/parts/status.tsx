// Status and state as word, icon and colour together, never colour alone.
import type { JobStatus } from '@restic-manager/contract/job'
import type { HostState } from '@restic-manager/contract/views'
import {
  IconAlertTriangle,
  IconBan,
  IconCalendarX,
  IconCircleCheck,
  IconCircleX,
  IconClock,
  IconClockExclamation,
  IconHelpCircle,
  IconHourglassEmpty,
  IconLoader2,
  IconPlayerPause,
  IconPlayerTrackNext,
  IconPlugConnected,
  IconPlugConnectedX,
  IconShieldLock,
  IconUserQuestion,
} from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { statusWords, stateWords } from '../words.ts'
import './status.css'

type Tone = 'good' | 'warn' | 'bad' | 'accent' | 'idle'

const statusLooks = {
  queued: [IconClock, 'idle'],
  accepted: [IconClock, 'idle'],
  running: [IconLoader2, 'accent'],
  succeeded: [IconCircleCheck, 'good'],
  incomplete: [IconAlertTriangle, 'warn'],
  failed: [IconCircleX, 'bad'],
  cancelled: [IconBan, 'idle'],
  skipped: [IconPlayerTrackNext, 'idle'],
  missed: [IconCalendarX, 'idle'],
  expired: [IconHourglassEmpty, 'idle'],
  lost: [IconHelpCircle, 'bad'],
} as const satisfies Record<JobStatus, readonly [typeof IconClock, Tone]>

const stateLooks = {
  online: [IconPlugConnected, 'idle'],
  offline: [IconPlugConnectedX, 'bad'],
  paused: [IconPlayerPause, 'idle'],
  waiting: [IconUserQuestion, 'warn'],
  quarantined: [IconShieldLock, 'bad'],
} as const satisfies Record<HostState, readonly [typeof IconClock, Tone]>

/** The tone of a job's status, for what stands around it. */
export const toneOf = (status: JobStatus): Tone => statusLooks[status][1]

/** A job's status; `beside` is the reason, in a caption's colour. */
export function JobStatusMark({ status, beside }: { status: JobStatus; beside?: ReactNode }) {
  const [Icon, tone] = statusLooks[status]
  return (
    <span className="status">
      <Icon
        className={`status-icon tone-${tone} ${status === 'running' ? 'status-turning' : ''}`}
        size={16}
        stroke={1.75}
        aria-hidden
      />
      <span className={tone === 'good' ? 'second' : `tone-${tone}`}>{statusWords[status]}</span>
      {beside != null && <span className="status-beside dim cut">{beside}</span>}
    </span>
  )
}

/** What a host is doing about its link. */
export function HostStateMark({ state }: { state: HostState }) {
  const [Icon, tone] = stateLooks[state]
  return (
    <span className="status">
      <Icon className={`status-icon tone-${tone}`} size={16} stroke={1.75} aria-hidden />
      <span className={tone === 'idle' ? 'second' : `tone-${tone}`}>{stateWords[state]}</span>
    </span>
  )
}

/** The host is heard of, and its last good backup is older than its plan promises. */
export const LateMark = () => (
  <span className="status">
    <IconClockExclamation className="status-icon tone-bad" size={16} stroke={1.75} aria-hidden />
    <span className="tone-bad">Late</span>
  </span>
)
