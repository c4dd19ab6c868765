// Whether a host is behind the server, and with what.
import type { HostRow } from '@restic-manager/contract/views'

type Versions = Pick<
  HostRow,
  'configVersion' | 'appliedConfigVersion' | 'scheduleVersion' | 'appliedScheduleVersion'
>
export type Drift = { what: 'schedules' | 'configuration'; applied: number; wanted: number }

/** What a host has not applied yet: its schedules before its configuration; undefined while it is in sync. */
export function driftOf(host: Versions): Drift | undefined {
  if (host.appliedScheduleVersion !== host.scheduleVersion)
    return { what: 'schedules', applied: host.appliedScheduleVersion, wanted: host.scheduleVersion }
  if (host.appliedConfigVersion !== host.configVersion)
    return { what: 'configuration', applied: host.appliedConfigVersion, wanted: host.configVersion }
  return undefined
}
