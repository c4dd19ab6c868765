// One repository of a host: size, ages, locks, and what can be done with it from this host.
import type { HostView, RepositoryView } from '@restic-manager/contract/views'
import { ActionIcon, Menu } from '@mantine/core'
import {
  IconDots,
  IconLock,
  IconLockOpen,
  IconPlugConnected,
  IconShield,
  IconShieldOff,
  IconSparkles,
} from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { countOf, formatBytes } from '../format.ts'
import { accessOf, whyForbidden } from '../host-policy.ts'
import { useMay } from '../me.ts'
import { useRequestId } from '../request-id.ts'
import { trpc } from '../trpc.ts'
import { backendWords } from '../words.ts'
import { JobSentence } from './job-sentence.tsx'
import { MutationProblem } from './query-problem.tsx'
import { ShortName } from './short-name.tsx'
import { Age } from './when.tsx'
import './repository-card.css'

const icon = { size: 16, stroke: 1.75 }

/** Whether it was ever opened, as a chip. */
export const NotOpenedYet = ({ repository }: { repository: RepositoryView }) =>
  repository.resticId === null && <span className="chip">not opened yet</span>

/** Locks and the right to delete, as chips. */
export function RepositoryMarks({ repository }: { repository: RepositoryView }) {
  const locks = repository.locks.length
  return (
    <>
      {repository.lockState === 'locked' && (
        <span className="chip chip-warn">
          <IconLock size={14} stroke={1.75} aria-hidden />
          {locks > 1 ? countOf(locks, 'lock') : 'locked'}
        </span>
      )}
      {repository.mayDelete || repository.ransomwareUnsafe ? (
        <span
          className="chip chip-bad"
          title={
            repository.mayDelete
              ? 'Its hosts can delete their own backups.'
              : `${repository.maintenanceHost?.name ?? 'Its maintenance host'} also backs up here, and may delete.`
          }
        >
          <IconShieldOff size={14} stroke={1.75} aria-hidden />
          not ransomware-safe
        </span>
      ) : (
        <span className="chip">
          <IconShield size={14} stroke={1.75} aria-hidden />
          append-only
        </span>
      )}
    </>
  )
}

/** A card on the page of `host`. */
export function RepositoryCard({ host, repository }: { host: HostView; repository: RepositoryView }) {
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
  const forbidden = whyForbidden(host.policy, { access: accessOf(repository) })
  const start = (kind: 'probe' | 'init' | 'unlock') => {
    const asked = { hostId: host.id, repositoryId: repository.id, kind, spec: {} }
    run.mutate({ requestId: idFor(asked), ...asked })
  }
  return (
    <article className="repository-card" aria-label={repository.name}>
      <div className="row">
        <Link
          to="/repositories/$repositoryId"
          params={{ repositoryId: repository.id }}
          className="strong cut grow repository-name"
          aria-label={repository.name}
        >
          <ShortName name={repository.name} />
        </Link>
        <span className="num strong one-line">
          {repository.sizeBytes === null ? '' : formatBytes(repository.sizeBytes)}
        </span>
        {mayRun && (
          <Menu position="bottom-end" shadow="md" radius="lg">
            <Menu.Target>
              <ActionIcon aria-label={`What to do with ${repository.name}`} loading={run.isPending}>
                <IconDots {...icon} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item
                disabled={forbidden !== undefined}
                leftSection={<IconPlugConnected {...icon} />}
                onClick={() => start('probe')}
              >
                Test from this host
              </Menu.Item>
              <Menu.Item
                disabled={forbidden !== undefined}
                leftSection={<IconLockOpen {...icon} />}
                onClick={() => start('unlock')}
              >
                Remove stale locks
              </Menu.Item>
              {repository.resticId === null && (
                <Menu.Item
                  disabled={forbidden !== undefined}
                  leftSection={<IconSparkles {...icon} />}
                  onClick={() => start('init')}
                >
                  Initialise
                </Menu.Item>
              )}
            </Menu.Dropdown>
          </Menu>
        )}
      </div>
      <p className="dim cut" title={repository.url}>
        {backendWords[repository.kind]}, <span className="mono">{repository.url}</span>
      </p>
      <dl className="repository-ages">
        <div>
          <dt>backup</dt>
          <dd>
            <Age at={repository.lastBackupAt} none="–" />
          </dd>
        </div>
        <div>
          <dt>prune</dt>
          <dd>
            <Age at={repository.lastPruneAt} none="–" />
          </dd>
        </div>
        <div>
          <dt>check</dt>
          <dd>
            <Age at={repository.lastCheckAt} none="–" />
          </dd>
        </div>
      </dl>
      <div className="row row-wrap">
        <NotOpenedYet repository={repository} />
        <RepositoryMarks repository={repository} />
      </div>
      {forbidden !== undefined && <p className="tone-bad break">{forbidden}</p>}
      {jobId !== undefined && (
        <JobSentence
          key={jobId}
          jobId={jobId}
          again={() => start('probe')}
          onInitialise={() => start('init')}
          busy={run.isPending}
        />
      )}
      <MutationProblem what="That could not be started." error={run.error} />
    </article>
  )
}
