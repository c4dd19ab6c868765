// Alerts as notices on the page they are about.
import type { AlertView } from '@restic-manager/contract/alerts'
import { alertKinds } from '@restic-manager/contract/alert-kinds'
import type { AlertKind } from '@restic-manager/contract/attention'
import { Button } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { countOf } from '../format.ts'
import { useMay } from '../me.ts'
import { queryClient, trpc } from '../trpc.ts'
import { ClearAction } from './clear-action.tsx'
import { Notice } from './notice.tsx'
import { MutationProblem } from './query-problem.tsx'
import { Ago, When } from './when.tsx'
import './alerts.css'

const words = {
  token_reused: 'A used token was tried again',
  host_cloned: 'Two machines, one identity',
  host_waiting: 'Waits for approval',
  copy_turned_away: 'A copy of this host was turned away',
  old_key_used: 'A replaced key was used',
  foreign_ids: 'Named what is not its own',
} as const satisfies Partial<Record<AlertKind, string>>

const wordOf = (kind: AlertKind): string =>
  (words as Partial<Record<AlertKind, string>>)[kind] ?? alertKinds[kind].word

/** The button that says it was seen. An event is done with then; a state stays until what it is about ends. */
function Acknowledge({ alert }: { alert: AlertView }): ReactNode {
  const may = useMay('operator')
  const acknowledge = useMutation(
    trpc.alerts.acknowledge.mutationOptions({
      onSuccess: () => queryClient.invalidateQueries(trpc.alerts.list.pathFilter()),
    }),
  )
  if (!may || alert.acknowledgedAt !== null || alert.clearedAt !== null) return null
  return (
    <>
      <Button loading={acknowledge.isPending} onClick={() => acknowledge.mutate({ alertId: alert.id })}>
        {alertKinds[alert.kind].ends === 'event' ? 'Clear' : 'Acknowledge'}
      </Button>
      <MutationProblem what="It was not acknowledged." error={acknowledge.error} />
    </>
  )
}

function Facts({ alert }: { alert: AlertView }) {
  return (
    <p className="dim">
      since <When at={alert.since} />
      {alert.count > 1 && (
        <>
          {' · '}
          {countOf(alert.count, 'time')}, last <Ago at={alert.lastSeenAt} />
        </>
      )}
      {alert.acknowledgedBy !== null && ` · acknowledged by ${alert.acknowledgedBy}`}
      {alert.clearedAt !== null && (
        <>
          {' · cleared '}
          <Ago at={alert.clearedAt} />
        </>
      )}
    </p>
  )
}

/** The page's own notice says these, with the buttons that clear them. */
const saidAbove: ReadonlySet<AlertKind> = new Set([
  'host_cloned',
  'host_waiting',
  'host_silent',
  'backup_failed',
  'backup_lost',
])

/** What is open about one host, beyond what its page says already. */
export function AlertNotices({ hostId }: { hostId: string }): ReactNode {
  const alerts = useQuery(trpc.alerts.list.queryOptions({ hostId, limit: 20 })).data
  return alerts?.rows
    .filter(({ kind, acknowledgedAt }) => !saidAbove.has(kind) && acknowledgedAt === null)
    .map(alert => (
      <Notice
        key={alert.id}
        tone={alert.severity === 'red' ? 'bad' : 'warn'}
        title={`${wordOf(alert.kind)}.`}
        action={
          <>
            <ClearAction alert={alert} />
            {alert.clear?.do !== 'acknowledge' && <Acknowledge alert={alert} />}
          </>
        }
      >
        {alert.sentence}
        <Facts alert={alert} />
      </Notice>
    ))
}
