// A host that waits to be let in: the fingerprint to compare, and the two answers.
import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useMay } from '../me.ts'
import { queryClient, trpc } from '../trpc.ts'
import { Notice } from './notice.tsx'
import { MutationProblem } from './query-problem.tsx'
import './alerts.css'

/** `onRejected`: the host is gone then. */
export function ApprovalNotice({
  host,
  onRejected,
}: {
  host: { id: string; name: string; fingerprint: string }
  onRejected?: () => void
}): ReactNode {
  const mayApprove = useMay('admin')
  const readAgain = () =>
    Promise.all([
      queryClient.invalidateQueries(trpc.hosts.pathFilter()),
      queryClient.invalidateQueries(trpc.enrolments.pathFilter()),
    ])
  const approve = useMutation(trpc.enrolments.approve.mutationOptions({ onSuccess: readAgain }))
  const reject = useMutation(
    trpc.enrolments.reject.mutationOptions({
      onSuccess: async () => {
        onRejected?.()
        await readAgain()
      },
    }),
  )
  const busy = approve.isPending || reject.isPending
  const hostId = host.id
  return (
    <>
      <Notice
        tone="warn"
        title={`${host.name} waits for approval.`}
        action={
          mayApprove && (
            <>
              <Button loading={reject.isPending} disabled={busy} onClick={() => reject.mutate({ hostId })}>
                Reject
              </Button>
              <Button
                variant="filled"
                loading={approve.isPending}
                disabled={busy}
                onClick={() => approve.mutate({ hostId })}
              >
                Let it in
              </Button>
            </>
          )
        }
      >
        It gets no orders and no secrets until then. On the host,{' '}
        <code className="mono">npm run -s agent -- status</code> must show this fingerprint:{' '}
        <code className="mono fingerprint">{host.fingerprint}</code>
        {!mayApprove && ' Only an admin can let it in.'}
      </Notice>
      <MutationProblem what="The host was not let in." error={approve.error} />
      <MutationProblem what="The host was not rejected." error={reject.error} />
    </>
  )
}
