// What can be done with a job: cancel it while it is open, run it again once it has ended.
import { hasEnded } from '@restic-manager/contract/job'
import { JobRunRequest } from '@restic-manager/contract/requests'
import type { JobView } from '@restic-manager/contract/views'
import { Button, Modal } from '@mantine/core'
import { IconPlayerStop, IconRefresh } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useMay } from '../me.ts'
import { useRequestId } from '../request-id.ts'
import { queryClient, trpc } from '../trpc.ts'
import { kindWords } from '../words.ts'
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
            {job.status === 'running'
              ? 'restic stops and removes its lock. No snapshot is made, and what it already stored helps the next backup.'
              : 'It will not be run.'}
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

function RunAgain({ job }: { job: JobView }) {
  const navigate = useNavigate()
  const { idFor, done } = useRequestId()
  const run = useMutation(
    trpc.jobs.run.mutationOptions({
      onSuccess: ({ jobId }) => {
        done()
        void navigate({ to: '/jobs/$jobId', params: { jobId } })
      },
    }),
  )
  const request = JobRunRequest.safeParse({
    requestId: idFor(job.id),
    hostId: job.hostId,
    repositoryId: job.repositoryId,
    kind: job.kind,
    spec: job.spec,
  })
  // A job whose order this server never saw, such as one run while it was away, cannot be repeated from here.
  if (!request.success || job.repositoryName === null) return null
  return (
    <>
      <Button
        leftSection={<IconRefresh size={16} stroke={1.75} aria-hidden />}
        loading={run.isPending}
        onClick={() => run.mutate(request.data)}
      >
        Run again
      </Button>
      <Modal
        opened={run.isError}
        onClose={run.reset}
        title="The job was not started"
        size={440}
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <MutationProblem what="It could not be run again." error={run.error} />
      </Modal>
    </>
  )
}

/** The one button that fits the job's status; nothing for those who may only look. */
export function JobActions({ job }: { job: JobView }) {
  if (!useMay('operator')) return null
  return hasEnded(job.status) ? <RunAgain key={job.id} job={job} /> : <CancelJob job={job} />
}
