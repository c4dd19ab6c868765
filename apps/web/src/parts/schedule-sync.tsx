// How far a schedule has reached its host, as a chip: in sync, waiting since, or rejected and why.
import type { ScheduleView } from '@restic-manager/contract/views'
import { IconArrowsDiff, IconCheck, IconX } from '@tabler/icons-react'
import { When } from './when.tsx'

const icon = { size: 14, stroke: 1.75, 'aria-hidden': true } as const

/** One chip, always. */
export function ScheduleSync({ schedule }: { schedule: ScheduleView }) {
  switch (schedule.sync) {
    case 'in sync':
      return (
        <span className="chip">
          <IconCheck {...icon} />
          in sync
        </span>
      )
    case 'waiting':
      return (
        <span className="chip chip-warn" title="The host has not applied the newest plan yet.">
          <IconArrowsDiff {...icon} />
          waiting{' '}
          {schedule.waitingSince !== null && (
            <>
              since <When at={schedule.waitingSince} />
            </>
          )}
        </span>
      )
    case 'rejected':
      return (
        <span className="chip chip-bad" title={schedule.rejected?.reason}>
          <IconX {...icon} />
          rejected
        </span>
      )
  }
}
