// The browsers in which one is signed in.
import type { SessionView } from '@restic-manager/contract/operators'
import { Button } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { browserWords } from '../browser-words.ts'
import { queryClient, trpc } from '../trpc.ts'
import { Panel, SkeletonRows } from './panel.tsx'
import { MutationProblem, QueryProblem } from './query-problem.tsx'
import { Ago } from './when.tsx'
import './account.css'

const readAgain = () => queryClient.invalidateQueries(trpc.sessions.list.pathFilter())

function Row({ session, end, busy }: { session: SessionView; end: () => void; busy: boolean }) {
  const browser = browserWords(session.browser)
  return (
    <li className="account-row">
      <div className="account-row-main">
        <p className="row">
          <span className="strong cut" title={session.browser ?? undefined}>
            {browser}
          </span>
          {session.isThis && <span className="chip chip-good">this one</span>}
        </p>
        <p className="dim break">
          {session.address ?? 'unknown address'} · since <Ago at={session.createdAt} /> · last seen{' '}
          <Ago at={session.lastSeenAt} />
        </p>
      </div>
      {!session.isThis && (
        <Button loading={busy} onClick={end} aria-label={`End the session of ${browser}`}>
          End
        </Button>
      )}
    </li>
  )
}

/** The panel. Whoever is ended is shut out at once, also with an open page. */
export function Sessions() {
  const sessions = useQuery(trpc.sessions.list.queryOptions(undefined, { staleTime: 0 }))
  const end = useMutation(trpc.sessions.revoke.mutationOptions({ onSettled: readAgain }))
  const endOthers = useMutation(trpc.sessions.revokeOthers.mutationOptions({ onSettled: readAgain }))
  const rows = sessions.data ?? []
  const others = rows.filter(({ isThis }) => !isThis).length
  return (
    <Panel
      title="Sessions"
      count={sessions.data?.length}
      flush
      actions={
        others > 0 && (
          <Button loading={endOthers.isPending} onClick={() => endOthers.mutate()}>
            End all others
          </Button>
        )
      }
      foot="A session ends after 12 hours without use, and after 7 days in any case."
    >
      {sessions.isPending && <SkeletonRows rows={2} height={52} />}
      <QueryProblem what="Your sessions" query={sessions} />
      <ul aria-label="Sessions">
        {rows.map(session => (
          <Row
            key={session.id}
            session={session}
            busy={end.isPending && end.variables.sessionId === session.id}
            end={() => end.mutate({ sessionId: session.id })}
          />
        ))}
      </ul>
      {(end.error ?? endOthers.error) != null && (
        <div className="account-problem">
          <MutationProblem what="That session goes on." error={end.error ?? endOthers.error} />
        </div>
      )}
    </Panel>
  )
}
