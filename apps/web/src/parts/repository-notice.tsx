// The one thing about a repository that needs hands: retention that does not happen, or damage.
import type { RepositoryView } from '@restic-manager/contract/views'
import { Button } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useMay } from '../me.ts'
import { useRequestId } from '../request-id.ts'
import { runsOn } from '../schedule-words.ts'
import { trpc } from '../trpc.ts'
import { lazyDialog } from './lazy-dialog.tsx'
import { Notice } from './notice.tsx'
import { MutationProblem } from './query-problem.tsx'
import { Ago, When } from './when.tsx'

const MaintenanceDialog = lazyDialog(async () => (await import('./maintenance-form.tsx')).MaintenanceDialog)

/** Nothing while all is well. */
export function RepositoryNotice({ repository }: { repository: RepositoryView }): ReactNode {
  const mayRun = useMay('operator')
  const mayEdit = useMay('admin')
  const [choosing, setChoosing] = useState(false)
  const overdueSince = repository.retentionOverdueSince
  const schedules = useQuery(
    trpc.schedules.list.queryOptions(
      { repositoryId: repository.id, kind: 'forget' },
      { enabled: overdueSince !== null },
    ),
  ).data
  const { idFor, done } = useRequestId()
  const run = useMutation(trpc.schedules.runNow.mutationOptions({ onSuccess: done }))
  if (repository.lastCheckStatus === 'damaged')
    return (
      <Notice tone="bad" title="The last check found damage in this repository.">
        <Ago at={repository.lastCheckAt} />. Its job lists what is broken. Keep what is there: do not prune
        before it is repaired.
      </Notice>
    )
  if (overdueSince === null) return null
  const retentions = schedules?.filter(({ schedule }) => schedule.enabled) ?? []
  const worst = retentions.find(schedule => schedule.overdueSince !== null) ?? retentions[0]
  const nobody =
    worst !== undefined && runsOn('forget', { id: worst.hostId, name: worst.hostName }, repository) === null
  return (
    <>
      <Notice
        tone="bad"
        title={
          <>
            Retention is overdue since <When at={overdueSince} />.
          </>
        }
        action={
          nobody
            ? mayEdit && (
                <Button variant="filled" onClick={() => setChoosing(true)}>
                  Choose a maintenance host
                </Button>
              )
            : mayRun &&
              worst !== undefined && (
                <Button
                  variant="filled"
                  loading={run.isPending}
                  onClick={() => run.mutate({ requestId: idFor(worst.id), scheduleId: worst.id })}
                >
                  Run retention now
                </Button>
              )
        }
      >
        {nobody
          ? 'Its hosts may only append, and no maintenance host forgets for them. The repository only grows.'
          : 'It is planned and has not succeeded for two of its periods. The repository only grows.'}
      </Notice>
      <MutationProblem what="It was not started." error={run.error} />
      <MaintenanceDialog opened={choosing} repository={repository} onClose={() => setChoosing(false)} />
    </>
  )
}
