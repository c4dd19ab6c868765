// What can be done with a job: cancel it while it is open, run it again once it has ended.
import { hasEnded } from '@restic-manager/contract/job-ended'
import type { JobView } from '@restic-manager/contract/views'
import { Button, Modal } from '@mantine/core'
import { IconCalendarPlus, IconPlayerStop, IconRefresh } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useMay } from '../me.ts'
import { useRequestId } from '../request-id.ts'
import { queryClient, trpc } from '../trpc.ts'
import { kindWords } from '../words.ts'
import { LinkButton } from './link-button.tsx'
import { MutationProblem } from './query-problem.tsx'

function CancelJob({ job }: { job: JobView }) {
  const [asking, setAsking] = useState(false)
  const cancel = useMutation(
    trpc.jobs.cancel.mutationOptions({
      onSuccess: async () => {
        await queryClient.invalidateQueries(trpc.jobs.get.queryFilter({ jobId: job.id }))
        setAsking(false)
      },
    }),
  )
  return (
    <>
      <Button
        className="tone-bad"
        disabled={job.cancelRequestedAt !== null}
        leftSection={<IconPlayerStop size={16} stroke={1.75} aria-hidden />}
        onClick={() => setAsking(true)}
      >
        {job.cancelRequestedAt === null ? 'Cancel job' : 'Cancelling'}
      </Button>
      <Modal
        opened={asking}
        onClose={() => setAsking(false)}
        title={`Cancel this ${kindWords[job.kind].toLowerCase()}?`}
        size={440}
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <div className="stack">
          <p>
            {job.status !== 'running'
              ? 'It will not be run.'
              : job.kind === 'backup'
                ? 'restic stops and removes its lock. No snapshot is made, and what it already stored helps the next backup.'
                : 'restic stops and removes its lock. The repository stays whole, and the next run takes it up again.'}
          </p>
          <MutationProblem what="The job was not cancelled." error={cancel.error} />
          <div className="row form-foot">
            <Button data-autofocus onClick={() => setAsking(false)}>
              Let it run
            </Button>
            <Button
              variant="filled"
              color="red"
              loading={cancel.isPending}
              onClick={() => cancel.mutate({ jobId: job.id })}
            >
              Cancel job
            </Button>
          </div>
        </div>
      </Modal>
    </>
  )
}

function Retry({ job }: { job: JobView }) {
  const navigate = useNavigate()
  const { idFor, done } = useRequestId()
  const retry = useMutation(
    trpc.jobs.retry.mutationOptions({
      onSuccess: ({ jobId }) => {
        done()
        void navigate({ to: '/jobs/$jobId', params: { jobId } })
      },
    }),
  )
  if (job.repositoryName === null) return null
  return (
    <>
      <Button
        leftSection={<IconRefresh size={16} stroke={1.75} aria-hidden />}
        loading={retry.isPending}
        onClick={() => retry.mutate({ requestId: idFor(job.id), jobId: job.id })}
      >
        {job.status === 'succeeded' ? 'Run again' : 'Retry'}
      </Button>
      <Modal
        opened={retry.isError}
        onClose={retry.reset}
        title="The job was not started"
        size={440}
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <MutationProblem what="It could not be run again." error={retry.error} />
      </Modal>
    </>
  )
}

/** After a backup that nobody planned: the way to have it run by itself. */
function MakeSchedule({ job }: { job: JobView }) {
  const mayEdit = useMay('admin')
  const isGood = job.status === 'succeeded' || job.status === 'incomplete'
  const schedules = useQuery(
    trpc.schedules.list.queryOptions(
      { hostId: job.hostId, kind: 'backup' },
      { enabled: mayEdit && isGood && job.kind === 'backup' && job.scheduleId === null },
    ),
  ).data
  if (schedules === undefined || schedules.length > 0) return null
  return (
    <LinkButton
      to="/hosts/$hostId/schedules/add"
      params={{ hostId: job.hostId }}
      variant="filled"
      leftSection={<IconCalendarPlus size={16} stroke={1.75} aria-hidden />}
    >
      Make this a schedule
    </LinkButton>
  )
}

/** The buttons that fit the job's status; nothing for those who may only look. */
export function JobActions({ job }: { job: JobView }) {
  if (!useMay('operator')) return null
  if (!hasEnded(job.status)) return <CancelJob job={job} />
  return (
    <>
      <Retry key={job.id} job={job} />
      <MakeSchedule job={job} />
    </>
  )
}
