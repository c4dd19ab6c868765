// One repository: who uses it, how it is, its snapshots, tests from any of its hosts, edit and removal.
import type { RepositoryView } from '@restic-manager/contract/views'
import { Button } from '@mantine/core'
import { IconEdit } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { countOf, formatBytes, formatCount } from '../format.ts'
import { useMay } from '../me.ts'
import { Crumbs } from '../parts/crumbs.tsx'
import { DangerZone } from '../parts/danger-zone.tsx'
import { lazyDialog } from '../parts/lazy-dialog.tsx'
import { LinkButton } from '../parts/link-button.tsx'
import { Details, Empty, PageHead, Panel, SkeletonRows, Vitals } from '../parts/panel.tsx'
import { QueryProblem } from '../parts/query-problem.tsx'
import { NotOpenedYet, RepositoryMarks } from '../parts/repository-card.tsx'
import { RepositoryLocks } from '../parts/repository-locks.tsx'
import { RepositoryMaintenance } from '../parts/repository-maintenance.tsx'
import { RepositoryNotice } from '../parts/repository-notice.tsx'
import { RepositorySizes } from '../parts/repository-sizes.tsx'
import { RevealKit } from '../parts/reveal-kit.tsx'
import { ShowAll } from '../parts/show-all.tsx'
import { HostName } from '../parts/short-name.tsx'
import { SnapshotList } from '../parts/snapshot-list.tsx'
import { TestRepository } from '../parts/test-repository.tsx'
import { Age, Ago, When } from '../parts/when.tsx'
import { queryClient, refusalIn, trpc } from '../trpc.ts'
import { backendWords } from '../words.ts'

const route = getRouteApi('/shell/repositories/$repositoryId')

const EditRepository = lazyDialog(async () => (await import('../parts/edit-repository.tsx')).EditRepository)

function Danger({ repository }: { repository: RepositoryView }) {
  const navigate = useNavigate()
  const remove = useMutation(
    trpc.repositories.remove.mutationOptions({
      onSuccess: async () => {
        await navigate({ to: '/repositories' })
        await queryClient.invalidateQueries(trpc.repositories.list.pathFilter())
      },
    }),
  )
  return (
    <DangerZone
      noun="repository"
      name={repository.name}
      below="It is forgotten here and erased from its hosts. Its data stays where it is."
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate({ repositoryId: repository.id, confirmName: repository.name })}
    >
      <p>
        {repository.hosts.length === 0
          ? 'No host uses it.'
          : `${countOf(repository.hosts.length, 'host')} can no longer back up there.`}{' '}
        {countOf(repository.snapshotCount, 'snapshot')} stay in it, readable only with its password. Make sure
        you have the recovery kit: this server forgets the password.
      </p>
    </DangerZone>
  )
}

function Side({ repository, mayEdit }: { repository: RepositoryView; mayEdit: boolean }) {
  const mayTest = useMay('operator')
  return (
    <div className="stack">
      {mayTest && (
        <Panel title="Test">
          <TestRepository repositoryId={repository.id} hosts={repository.hosts} />
        </Panel>
      )}
      <Panel title="Hosts" count={repository.hosts.length}>
        {repository.hosts.length === 0 && (
          <p className="dim">No host uses it. Edit the repository to give it to one.</p>
        )}
        <ShowAll all={repository.hosts} most={12} noun="hosts">
          {shown => (
            <ul className="stack stack-sm">
              {shown.map(host => (
                <li key={host.id}>
                  <Link to="/hosts/$hostId" params={{ hostId: host.id }} aria-label={host.name}>
                    <HostName name={host.name} />
                  </Link>
                </li>
              ))}
            </ul>
          )}
        </ShowAll>
      </Panel>
      <RepositoryLocks repository={repository} />
      <Panel title="Details">
        <Details
          items={[
            { term: 'Storage', value: backendWords[repository.kind] },
            { term: 'Address', value: <span className="mono">{repository.url}</span> },
            ...(repository.username === null ? [] : [{ term: 'User', value: repository.username }]),
            ...Object.entries(repository.environment).map(([term, value]) => ({ term, value })),
            {
              term: 'restic id',
              value: <span className="mono">{repository.resticId?.slice(0, 10) ?? 'not opened yet'}</span>,
            },
            { term: 'Added', value: <When at={repository.createdAt} /> },
          ]}
        />
      </Panel>
      {mayEdit && <Danger repository={repository} />}
    </div>
  )
}

function RepositoryBody({ repository }: { repository: RepositoryView }) {
  const mayEdit = useMay('admin')
  const [editing, setEditing] = useState(false)
  return (
    <>
      <PageHead
        title={repository.name}
        beside={
          <>
            <NotOpenedYet repository={repository} />
            <RepositoryMarks repository={repository} />
          </>
        }
        below={
          <>
            {backendWords[repository.kind]}, <span className="mono">{repository.url}</span>
          </>
        }
        actions={
          mayEdit && (
            <>
              <RevealKit repository={repository} />
              <Button
                leftSection={<IconEdit size={16} stroke={1.75} aria-hidden />}
                onClick={() => setEditing(true)}
              >
                Edit
              </Button>
            </>
          )
        }
      />
      <RepositoryNotice repository={repository} />
      <Vitals
        items={[
          {
            label: 'Last backup',
            value: <Age at={repository.lastBackupAt} />,
            below: repository.lastBackupAt !== null && <When at={repository.lastBackupAt} />,
          },
          {
            label: 'Size',
            value: repository.sizeBytes === null ? '–' : formatBytes(repository.sizeBytes),
            below:
              repository.statsAt === null ? (
                'not measured yet'
              ) : (
                <>
                  {repository.dedupRatio !== null && `dedup ${repository.dedupRatio.toFixed(1)} ×, `}
                  <Ago at={repository.statsAt} />
                </>
              ),
          },
          {
            label: 'Snapshots',
            value: formatCount(repository.snapshotCount),
            below: `used by ${countOf(repository.hosts.length, 'host')}`,
          },
          {
            label: 'Last check',
            value: <Age at={repository.lastCheckAt} />,
            below: repository.lastCheckStatus,
            tone: repository.lastCheckStatus === 'damaged' ? 'bad' : undefined,
          },
          {
            label: 'Last prune',
            value: <Age at={repository.lastPruneAt} />,
            below: repository.lastPruneAt !== null && <When at={repository.lastPruneAt} />,
          },
          {
            label: 'Last forget',
            value: <Age at={repository.lastForgetAt} />,
            tone: repository.retentionOverdueSince === null ? undefined : 'bad',
            below: repository.lastForgetAt !== null && <When at={repository.lastForgetAt} />,
          },
        ]}
      />
      <div className="with-side">
        <div className="stack">
          <RepositoryMaintenance repository={repository} />
          <RepositorySizes repository={repository} />
          <SnapshotList of={{ repositoryId: repository.id }} />
        </div>
        <Side repository={repository} mayEdit={mayEdit} />
      </div>
      {mayEdit && (
        <EditRepository opened={editing} repository={repository} onClose={() => setEditing(false)} />
      )}
    </>
  )
}

/** The page of one repository. */
export function RepositoryPage() {
  const { repositoryId } = route.useParams()
  const repository = useQuery(trpc.repositories.get.queryOptions({ repositoryId }))
  const gone = refusalIn(repository.error) === 'repository_not_found'
  return (
    <>
      <Crumbs
        way={[{ word: 'Repositories', link: { to: '/repositories' } }]}
        here={repository.data?.name ?? 'Repository'}
      />
      {gone ? (
        <Empty
          title="This repository is not here any more."
          action={<LinkButton to="/repositories">All repositories</LinkButton>}
        >
          It was removed, or the link is not complete.
        </Empty>
      ) : (
        <QueryProblem what="The repository" query={repository} />
      )}
      {repository.isPending && (
        <Panel flush>
          <SkeletonRows rows={8} height={52} />
        </Panel>
      )}
      {repository.data !== undefined && !gone && <RepositoryBody repository={repository.data} />}
    </>
  )
}
