// The locks in a repository: whose, how old, and the button that takes away those that were left over.
import type { RepositoryView } from '@restic-manager/contract/views'
import { timing } from '@restic-manager/contract/timing'
import { Button } from '@mantine/core'
import { IconLockOpen } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useNow } from '../clock.ts'
import { useMay } from '../me.ts'
import { useRequestId } from '../request-id.ts'
import { trpc } from '../trpc.ts'
import { JobSentence } from './job-sentence.tsx'
import { Panel } from './panel.tsx'
import { MutationProblem } from './query-problem.tsx'
import { Age } from './when.tsx'

/** Nothing where nothing is locked and nothing was just unlocked. */
export function RepositoryLocks({ repository }: { repository: RepositoryView }) {
  const now = useNow(60_000)
  const mayRun = useMay('operator')
  const [jobId, setJobId] = useState<string>()
  const { idFor, done } = useRequestId()
  const run = useMutation(
    trpc.jobs.run.mutationOptions({
      onSuccess: started => {
        done()
        setJobId(started.jobId)
      },
    }),
  )
  const host = repository.maintenanceHost ?? repository.hosts[0]
  const unlock = () => {
    if (host === undefined) return
    const asked = { hostId: host.id, repositoryId: repository.id, kind: 'unlock' as const, spec: {} }
    run.mutate({ requestId: idFor([asked, jobId]), ...asked })
  }
  const { locks } = repository
  if (locks.length === 0 && jobId === undefined) return null
  return (
    <Panel
      title="Locks"
      count={locks.length}
      actions={
        mayRun &&
        host !== undefined &&
        locks.length > 0 && (
          <Button
            leftSection={<IconLockOpen size={16} stroke={1.75} aria-hidden />}
            loading={run.isPending}
            onClick={unlock}
          >
            Unlock
          </Button>
        )
      }
    >
      <div className="stack stack-sm">
        {locks.length === 0 && <p className="dim">None any more.</p>}
        <ul className="stack stack-sm lock-list">
          {locks.map(lock => {
            const createdAt = new Date(lock.createdAt)
            return (
              <li key={`${lock.hostname} ${lock.pid} ${lock.createdAt}`}>
                <span className="strong">{lock.hostname}</span>, pid <span className="num">{lock.pid}</span>
                {lock.exclusive && ', exclusive'}, <Age at={createdAt} /> old{' '}
                {now - createdAt.getTime() > timing.staleLock && (
                  <span className="chip chip-warn">stale</span>
                )}
              </li>
            )
          })}
        </ul>
        {jobId !== undefined && (
          <JobSentence
            key={jobId}
            jobId={jobId}
            again={unlock}
            againWord="Unlock again"
            busy={run.isPending}
          />
        )}
        <MutationProblem what="Nothing was unlocked." error={run.error} />
      </div>
    </Panel>
  )
}
