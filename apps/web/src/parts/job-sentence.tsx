// One job as a sentence that follows it live, with the button that fits its end.
import type { Id } from '@restic-manager/contract/ids'
import { hasEnded } from '@restic-manager/contract/job-ended'
import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { trpc } from '../trpc.ts'
import { kindWords, saidBeyond, whyEnded } from '../words.ts'
import { LiveBar } from './live-bar.tsx'
import { Notice } from './notice.tsx'

const succeeded = {
  probe: (host: string) => `${host} reaches the repository, and the password fits.`,
  init: () => 'The repository is initialised and empty. It is ready for the first backup.',
  backup: () => 'The backup succeeded.',
  forget: () => 'The retention is applied.',
  prune: () => 'Unused space is freed.',
  check: () => 'The check found no damage.',
  unlock: () => 'Stale locks are removed.',
}

/** `again` tries anew; `onInitialise` makes the repository that is missing. */
export function JobSentence({
  jobId,
  onInitialise,
  again,
  againWord = 'Test again',
  busy,
}: {
  jobId: Id
  onInitialise?: () => void
  again: () => void
  againWord?: string
  busy: boolean
}) {
  const job = useQuery(
    trpc.jobs.get.queryOptions(
      { jobId },
      { refetchInterval: query => (query.state.data && hasEnded(query.state.data.status) ? false : 5_000) },
    ),
  ).data
  const open = (
    <Link to="/jobs/$jobId" params={{ jobId }}>
      Open the job
    </Link>
  )
  if (job === undefined || !hasEnded(job.status)) {
    const waits = job?.status === 'queued' && job.hostOnline === false
    return (
      <div className="stack stack-sm" role="status">
        <p>
          {waits
            ? `${job.hostName} is offline. This starts when it comes back.`
            : `${job === undefined ? 'Starting' : `${kindWords[job.kind]} runs on ${job.hostName}`}…`}
        </p>
        <LiveBar share={undefined} label="Running" still={waits} />
      </div>
    )
  }
  if (job.status === 'succeeded')
    return <Notice tone="good" title={succeeded[job.kind](job.hostName)} action={open} />
  if (job.reason === 'repository_missing' && onInitialise !== undefined) {
    return (
      <Notice
        tone="accent"
        title="The place can be reached. There is no repository yet."
        action={
          <Button onClick={onInitialise} loading={busy}>
            Initialise
          </Button>
        }
      >
        Initialising makes an empty repository there, encrypted with its password.
      </Notice>
    )
  }
  if (job.reason === 'already_initialised')
    return (
      <Notice
        tone="good"
        title="The repository was already there."
        action={<Button onClick={again}>Test</Button>}
      />
    )
  return (
    <Notice
      tone="bad"
      title={whyEnded(job) ?? `${kindWords[job.kind]} did not succeed.`}
      action={
        <Button onClick={again} loading={busy}>
          {againWord}
        </Button>
      }
    >
      {saidBeyond(job.error, whyEnded(job))} {open}
    </Notice>
  )
}
