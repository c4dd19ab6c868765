// What can be done with a schedule: run it now, pause or resume it, edit it, delete it.
import type { HostView, ScheduleView } from '@restic-manager/contract/views'
import { ActionIcon, Button, Menu, Modal } from '@mantine/core'
import {
  IconDots,
  IconEdit,
  IconListDetails,
  IconPlayerPause,
  IconPlayerPlay,
  IconTrash,
} from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { hasEnded } from '@restic-manager/contract/job-ended'
import { useMay } from '../me.ts'
import { useRequestId } from '../request-id.ts'
import { queryClient, trpc } from '../trpc.ts'
import { ConfirmName } from './confirm-name.tsx'
import { MutationProblem } from './query-problem.tsx'

const icon = { size: 16, stroke: 1.75, 'aria-hidden': true } as const
const readAgain = () => queryClient.invalidateQueries(trpc.schedules.pathFilter())

function DeleteSchedule({ schedule, onClose }: { schedule: ScheduleView; onClose: () => void }) {
  const { name } = schedule.schedule
  const remove = useMutation(
    trpc.schedules.remove.mutationOptions({
      onSuccess: async () => {
        onClose()
        await readAgain()
      },
    }),
  )
  return (
    <ConfirmName
      opened
      onClose={onClose}
      title={`Delete ${name}?`}
      name={name}
      verb="Delete schedule"
      busy={remove.isPending}
      problem={<MutationProblem what="The schedule was not deleted." error={remove.error} />}
      onConfirm={() => remove.mutate({ scheduleId: schedule.id, version: schedule.version })}
    >
      <p>
        {schedule.hostName} stops running it as soon as it hears of this. Its snapshots stay in the
        repository, and its jobs stay in the list. A retention that thins its snapshots no longer does.
      </p>
    </ConfirmName>
  )
}

/** Buttons of a row. `isForbidden`: by the policy of the host, for a reason that stands beside. */
export function ScheduleActions({
  host,
  schedule,
  isForbidden,
}: {
  host: HostView
  schedule: ScheduleView
  isForbidden: boolean
}) {
  const mayRun = useMay('operator')
  const mayEdit = useMay('admin')
  const [deleting, setDeleting] = useState(false)
  const { idFor, done } = useRequestId()
  const run = useMutation(
    trpc.schedules.runNow.mutationOptions({
      onSuccess: async () => {
        done()
        await readAgain()
      },
    }),
  )
  const enable = useMutation(trpc.schedules.setEnabled.mutationOptions({ onSuccess: readAgain }))
  const { id: scheduleId, version, lastJob } = schedule
  const { name, enabled } = schedule.schedule
  const isBusy = lastJob !== null && !hasEnded(lastJob.status)
  const error = run.error ?? enable.error
  if (!mayRun) return null
  return (
    <>
      <Button
        leftSection={<IconPlayerPlay {...icon} />}
        disabled={host.state === 'quarantined' || isBusy || isForbidden}
        title={isBusy ? 'It runs or waits already.' : undefined}
        loading={run.isPending}
        aria-label={`Run now: ${name}`}
        onClick={() => run.mutate({ requestId: idFor([scheduleId, lastJob?.id]), scheduleId })}
      >
        Run now
      </Button>
      <Menu position="bottom-end" shadow="md" radius="lg">
        <Menu.Target>
          <ActionIcon aria-label={`What to do with ${name}`} loading={enable.isPending}>
            <IconDots {...icon} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {mayEdit && (
            <Menu.Item
              leftSection={<IconEdit {...icon} />}
              renderRoot={props => <Link {...props} to="/schedules/$scheduleId" params={{ scheduleId }} />}
            >
              Edit
            </Menu.Item>
          )}
          <Menu.Item
            leftSection={enabled ? <IconPlayerPause {...icon} /> : <IconPlayerPlay {...icon} />}
            onClick={() => enable.mutate({ scheduleId, version, enabled: !enabled })}
          >
            {enabled ? 'Pause' : 'Resume'}
          </Menu.Item>
          <Menu.Item
            leftSection={<IconListDetails {...icon} />}
            renderRoot={props => <Link {...props} to="/jobs" search={{ scheduleId }} />}
          >
            Its jobs
          </Menu.Item>
          {mayEdit && (
            <Menu.Item
              className="tone-bad"
              leftSection={<IconTrash {...icon} />}
              onClick={() => setDeleting(true)}
            >
              Delete
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      {deleting && <DeleteSchedule schedule={schedule} onClose={() => setDeleting(false)} />}
      <Modal
        opened={error !== null}
        onClose={() => {
          run.reset()
          enable.reset()
        }}
        title={name}
        size={440}
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <MutationProblem
          what={run.error === null ? 'The schedule was not changed.' : 'It was not started.'}
          error={error}
        />
      </Modal>
    </>
  )
}
