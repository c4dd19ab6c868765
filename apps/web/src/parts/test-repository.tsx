// Tests a repository from a host of your choice, follows the test live, and says in a sentence what came of it.
import type { Id } from '@restic-manager/contract/ids'
import { hasEnded } from '@restic-manager/contract/job'
import { Button, Select } from '@mantine/core'
import { IconPlugConnected } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useRequestId } from '../request-id.ts'
import { trpc } from '../trpc.ts'
import { kindWords, whyEnded } from '../words.ts'
import { LiveBar } from './live-bar.tsx'
import { Notice } from './notice.tsx'
import { MutationProblem } from './query-problem.tsx'

type Named = { id: Id; name: string }

const done = {
  probe: (host: string) => `${host} reaches the repository, and the password fits.`,
  init: () => 'The repository is initialised and empty. It is ready for the first backup.',
  backup: () => 'The backup succeeded.',
  unlock: () => 'Stale locks are removed.',
}

/** One job as a sentence, live, with the button that fits its end. */
function JobSentence({ jobId, onInitialise, again, busy }: { jobId: Id; onInitialise: () => void; again: () => void; busy: boolean }) {
  const job = useQuery(trpc.jobs.get.queryOptions({ jobId }, { refetchInterval: query => (query.state.data && hasEnded(query.state.data.status) ? false : 5_000) })).data
  const open = <Link to="/jobs/$jobId" params={{ jobId }}>Open the job</Link>
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
  if (job.status === 'succeeded') return <Notice tone="good" title={done[job.kind](job.hostName)} action={open} />
  if (job.reason === 'repository_missing') {
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
  if (job.reason === 'already_initialised') return <Notice tone="good" title="The repository was already there." action={<Button onClick={again}>Test</Button>} />
  return (
    <Notice
      tone="bad"
      title={whyEnded(job) ?? `${kindWords[job.kind]} did not succeed.`}
      action={
        <Button onClick={again} loading={busy}>
          Test again
        </Button>
      }
    >
      {job.error !== null && job.error !== whyEnded(job) && <>restic says: {job.error} </>}
      {open}
    </Notice>
  )
}

/** `firstJobId`: a test that was already started, such as right after saving. */
export function TestRepository({ repositoryId, hosts, firstJobId }: { repositoryId: Id; hosts: Named[]; firstJobId?: Id | undefined }) {
  const [hostId, setHostId] = useState<Id | undefined>(hosts[0]?.id)
  const [jobId, setJobId] = useState(firstJobId)
  const { idFor, done: settled } = useRequestId()
  const started = ({ jobId }: { jobId: Id }) => {
    settled()
    setJobId(jobId)
  }
  const test = useMutation(trpc.repositories.test.mutationOptions({ onSuccess: started }))
  const init = useMutation(trpc.jobs.run.mutationOptions({ onSuccess: started }))
  if (hostId === undefined) return <p className="dim">No host uses this repository yet. Choose one to test from it.</p>
  const where = { repositoryId, hostId }
  const runTest = () => test.mutate({ requestId: idFor(['probe', where]), ...where })
  return (
    <div className="stack">
      <div className="row row-wrap">
        <Select
          aria-label="Test from"
          allowDeselect={false}
          searchable={hosts.length > 8}
          data={hosts.map(host => ({ value: host.id, label: `from ${host.name}` }))}
          value={hostId}
          onChange={value => value !== null && setHostId(value)}
        />
        <Button leftSection={<IconPlugConnected size={16} stroke={1.75} aria-hidden />} onClick={runTest} loading={test.isPending}>
          Test
        </Button>
      </div>
      {jobId !== undefined && (
        <JobSentence
          key={jobId}
          jobId={jobId}
          again={runTest}
          busy={test.isPending || init.isPending}
          onInitialise={() => init.mutate({ requestId: idFor(['init', where]), ...where, kind: 'init', spec: {} })}
        />
      )}
      <MutationProblem what="That could not be started." error={test.error ?? init.error} />
    </div>
  )
}
