// How far a schedule has reached its host, as a chip: in sync, waiting since, or rejected and why.
import type { ScheduleView } from '@restic-manager/contract/views'
import { IconArrowsDiff, IconCheck, IconX } from '@tabler/icons-react'
import { Ago } from './when.tsx'

const icon = { size: 14, stroke: 1.75, 'aria-hidden': true } as const

/** `quiet`: nothing while all is well, as in a row. */
export function ScheduleSync({ schedule, quiet = false }: { schedule: ScheduleView; quiet?: boolean }) {
  switch (schedule.sync) {
    case 'in sync':
      return quiet ? null : (
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
              since <Ago at={schedule.waitingSince} />
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
