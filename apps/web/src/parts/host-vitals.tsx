// The strip of a host: last good backup, what comes next, what is protected, agent and plan.
import type { HostView } from '@restic-manager/contract/views'
import { useQuery } from '@tanstack/react-query'
import { driftOf } from '../drift.ts'
import { countOf, formatBytes } from '../format.ts'
import { trpc } from '../trpc.ts'
import { stateWords } from '../words.ts'
import { Vitals } from './panel.tsx'
import { Age, Ago, Ahead, When } from './when.tsx'

function agentBelow(host: HostView): string {
  if (host.spool.facts > 0) return `${countOf(host.spool.facts, 'fact')} to catch up`
  const versions = `${host.agentVersion ?? '–'} · restic ${host.resticVersion ?? 'missing'}`
  return host.updateAvailable === null ? versions : `${versions} · ${host.updateAvailable} is out`
}

const stateTones = {
  online: undefined,
  paused: undefined,
  waiting: 'warn',
  offline: 'bad',
  quarantined: 'bad',
} as const

/** Six values at most, the first the one that matters. */
export function HostVitals({ host }: { host: HostView }) {
  const schedules = useQuery(trpc.schedules.list.queryOptions({ hostId: host.id })).data ?? []
  const [next] = schedules
    .flatMap(({ nextRunAt, schedule }) =>
      nextRunAt === null ? [] : [{ at: nextRunAt, name: schedule.name }],
    )
    .toSorted((a, b) => a.at.getTime() - b.at.getTime())
  const rejected = schedules.filter(({ sync }) => sync === 'rejected').length
  const isLate = schedules.some(
    ({ schedule, overdueSince }) => schedule.kind === 'backup' && overdueSince !== null,
  )
  const drift = driftOf(host)
  const appliedAt =
    host.scheduleVersion > 0 && host.scheduleAppliedAt !== null
      ? host.scheduleAppliedAt
      : host.configAppliedAt
  return (
    <Vitals
      items={[
        {
          label: 'Last good backup',
          value: <Age at={host.lastGoodBackupAt} />,
          below: host.lastGoodBackupAt !== null && <When at={host.lastGoodBackupAt} />,
          tone: isLate ? 'bad' : undefined,
        },
        {
          label: 'Next run',
          value: <Ahead at={next?.at} none="–" />,
          below:
            next === undefined ? (
              host.pause === null || schedules.length === 0 ? (
                'nothing planned'
              ) : (
                'paused'
              )
            ) : (
              <>
                <When at={next.at} /> · {next.name}
              </>
            ),
        },
        {
          label: 'Protected',
          value: host.protectedBytes === null ? '–' : formatBytes(host.protectedBytes),
          below: host.protectedFiles === null ? 'nothing yet' : countOf(host.protectedFiles, 'file'),
        },
        {
          label: 'Snapshots',
          value: host.snapshotCount,
          below: host.oldestSnapshotAt !== null && (
            <>
              oldest <When at={host.oldestSnapshotAt} />
            </>
          ),
        },
        {
          label: 'Agent',
          value: stateWords[host.state],
          tone: stateTones[host.state],
          below: agentBelow(host),
        },
        {
          label: 'Plan',
          value:
            rejected > 0
              ? `${rejected} rejected`
              : drift === undefined
                ? 'in sync'
                : `v${drift.applied}, not yet v${drift.wanted}`,
          tone: rejected > 0 ? 'bad' : drift === undefined ? undefined : 'warn',
          below:
            drift === undefined ? (
              appliedAt !== null && (
                <>
                  applied <Ago at={appliedAt} />
                </>
              )
            ) : (
              <>waits with its {drift.what}</>
            ),
        },
      ]}
    />
  )
}
