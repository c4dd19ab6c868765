// Tests a repository from a host of your choice, follows the test live, and says in a sentence what came of it.
import type { Id } from '@restic-manager/contract/ids'
import { Button, Select } from '@mantine/core'
import { IconPlugConnected } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useRequestId } from '../request-id.ts'
import { trpc } from '../trpc.ts'
import { JobSentence } from './job-sentence.tsx'
import { MutationProblem } from './query-problem.tsx'

type Named = { id: Id; name: string }

/** `firstJobId`: a test that was already started, such as right after saving. */
export function TestRepository({
  repositoryId,
  hosts,
  firstJobId,
}: {
  repositoryId: Id
  hosts: Named[]
  firstJobId?: Id | undefined
}) {
  const [hostId, setHostId] = useState<Id | undefined>(hosts[0]?.id)
  const [jobId, setJobId] = useState(firstJobId)
  const { idFor, done: settled } = useRequestId()
  const started = ({ jobId }: { jobId: Id }) => {
    settled()
    setJobId(jobId)
  }
  const test = useMutation(trpc.repositories.test.mutationOptions({ onSuccess: started }))
  const init = useMutation(trpc.jobs.run.mutationOptions({ onSuccess: started }))
  if (hostId === undefined)
    return <p className="dim">No host uses this repository yet. Choose one to test from it.</p>
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
        <Button
          leftSection={<IconPlugConnected size={16} stroke={1.75} aria-hidden />}
          onClick={runTest}
          loading={test.isPending}
        >
          Test
        </Button>
      </div>
      {jobId !== undefined && (
        <JobSentence
          key={jobId}
          jobId={jobId}
          again={runTest}
          busy={test.isPending || init.isPending}
          onInitialise={() =>
            init.mutate({ requestId: idFor(['init', where]), ...where, kind: 'init', spec: {} })
          }
        />
      )}
      <MutationProblem what="That could not be started." error={test.error ?? init.error} />
    </div>
  )
}
