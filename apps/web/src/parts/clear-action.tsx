// The one button that clears what needs attention: it acts at once, or opens the page where it is done.
import type { AlertView } from '@restic-manager/contract/alerts'
import type { ClearAction as Action } from '@restic-manager/contract/attention'
import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useMay } from '../me.ts'
import { useRequestId } from '../request-id.ts'
import { client, queryClient, trpc } from '../trpc.ts'
import { LinkButton } from './link-button.tsx'
import { MutationProblem } from './query-problem.tsx'

type Doing = Exclude<Action, { do: 'edit_schedule' | 'review_files' | 'reconnect' | 'release' | 'approve' }>

const words = {
  retry: 'Retry now',
  run_now: 'Run now',
  prune_now: 'Prune now',
  check_now: 'Check now',
  remove_lock: 'Remove stale lock',
  acknowledge: 'Clear',
} as const satisfies Record<Doing['do'], string>

const kinds = { prune_now: 'prune', check_now: 'check', remove_lock: 'unlock' } as const

/** Starts what the action names and gives back the job that does it, where there is one. */
async function act(action: Doing, alertId: string, requestId: string): Promise<string | undefined> {
  switch (action.do) {
    case 'retry':
      return (await client.jobs.retry.mutate({ requestId, jobId: action.jobId })).jobId
    case 'run_now':
      return (await client.schedules.runNow.mutate({ requestId, scheduleId: action.scheduleId })).jobIds[0]
    case 'acknowledge':
      await client.alerts.acknowledge.mutate({ alertId })
      return undefined
    default: {
      const { hostId, repositoryId } = action
      const run = { requestId, hostId, repositoryId, kind: kinds[action.do], spec: {} }
      return (await client.jobs.run.mutate(run)).jobId
    }
  }
}

function Act({ action, alert }: { action: Doing; alert: AlertView }): ReactNode {
  const { idFor, done } = useRequestId()
  const run = useMutation({
    mutationFn: () => act(action, alert.id, idFor(action)),
    onSuccess: () => {
      done()
      void queryClient.invalidateQueries(trpc.alerts.pathFilter())
      void queryClient.invalidateQueries(trpc.overview.pathFilter())
    },
  })
  if (run.data !== undefined)
    return (
      <LinkButton to="/jobs/$jobId" params={{ jobId: run.data }}>
        Watch the job
      </LinkButton>
    )
  return (
    <>
      <Button loading={run.isPending} onClick={() => run.mutate()}>
        {words[action.do]}
      </Button>
      <MutationProblem what="It was not started." error={run.error} />
    </>
  )
}

/** Nothing where nothing can be pressed, or the reader may only look. */
export function ClearAction({ alert }: { alert: AlertView }): ReactNode {
  const may = useMay('operator')
  const action = alert.clear
  if (action === null || alert.clearedAt !== null) return null
  switch (action.do) {
    case 'edit_schedule':
      return (
        <LinkButton to="/schedules/$scheduleId" params={{ scheduleId: action.scheduleId }}>
          Edit schedule
        </LinkButton>
      )
    case 'review_files':
      return (
        <LinkButton to="/jobs/$jobId" params={{ jobId: action.jobId }}>
          Review files
        </LinkButton>
      )
    case 'reconnect':
    case 'release':
    case 'approve': {
      const word = {
        reconnect: 'How to reconnect',
        release: 'Review and release',
        approve: 'Review and let in',
      }
      return (
        <LinkButton to="/hosts/$hostId" params={{ hostId: action.hostId }}>
          {word[action.do]}
        </LinkButton>
      )
    }
    default:
      return may && <Act action={action} alert={alert} />
  }
}
